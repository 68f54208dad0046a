"""Ledger lines as expressions: terms, their printing, equations, slopes."""
# SPDX-License-Identifier: Apache-2.0
