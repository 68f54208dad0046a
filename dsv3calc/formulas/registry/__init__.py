"""The registry of formulas: names, units, glossary, docstrings."""
# SPDX-License-Identifier: Apache-2.0
