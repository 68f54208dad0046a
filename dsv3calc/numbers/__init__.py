"""Arithmetic on ints, arrays and symbols, and quantities with units: the lowest layer."""
# SPDX-License-Identifier: Apache-2.0
