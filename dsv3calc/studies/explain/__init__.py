"""Explanations: the tree of a result and where each input was read."""
# SPDX-License-Identifier: Apache-2.0
