"""Search: a space of candidates with constraints, and how the best of them is found."""
# SPDX-License-Identifier: Apache-2.0
