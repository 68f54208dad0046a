"""Sums of formulas over operators and layouts: a model and a workload become a ledger.

Nothing here branches on a number that may be an array or a symbol; kinds of attention, of
feed-forward and conventions are categories and may.
"""
# SPDX-License-Identifier: Apache-2.0
