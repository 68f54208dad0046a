"""Where tokens go: the routing rule, laws of scores, loads of experts."""
# SPDX-License-Identifier: Apache-2.0
