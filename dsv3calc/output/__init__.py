"""Formats of an answer, one file per format."""
# SPDX-License-Identifier: Apache-2.0
