"""The queries as data: what a command line or a golden row says."""
# SPDX-License-Identifier: Apache-2.0
