"""Arithmetic on ints, arrays and symbols, and quantities with units: the lowest room."""
# SPDX-License-Identifier: Apache-2.0
