"""Compositions: architecture and workload become a ledger, by adding formulas up.

Nothing here branches on a number that may be an array or a symbol; kinds of attention, of
feed-forward and conventions are categories and may.
"""
# SPDX-License-Identifier: Apache-2.0
