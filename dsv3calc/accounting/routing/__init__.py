"""Where tokens go: the routing rule, distributions of scores, loads of experts."""
# SPDX-License-Identifier: Apache-2.0
