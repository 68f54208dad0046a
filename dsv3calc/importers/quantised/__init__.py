"""Quantised files: what each writer stores of a matrix, and which matrices a file names."""

# SPDX-License-Identifier: Apache-2.0
