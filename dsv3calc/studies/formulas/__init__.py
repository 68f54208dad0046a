"""Answers about formulas: what they are, and their values."""
# SPDX-License-Identifier: Apache-2.0
