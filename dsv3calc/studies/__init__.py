"""Answers to the queries of the commands and of the Python API; nothing here prints."""
# SPDX-License-Identifier: Apache-2.0
