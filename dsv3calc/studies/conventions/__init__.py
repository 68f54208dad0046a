"""Answers about conventions: their choices and who uses them."""
# SPDX-License-Identifier: Apache-2.0
