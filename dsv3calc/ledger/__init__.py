"""The ledger: lines, their rules, and walks over them."""
# SPDX-License-Identifier: Apache-2.0
