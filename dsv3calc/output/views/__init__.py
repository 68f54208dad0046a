"""The tables of each query, one file per command."""
# SPDX-License-Identifier: Apache-2.0
