"""A row of the glossary."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import msgspec


class Symbol(msgspec.Struct, frozen=True):
    """How a quantity is written and what it is.

    ``latex`` is its symbol in formulas and ``unit`` its unit as ledgers spell it. ``least`` is the
    smallest value that makes sense (0 or 1) and ``whole`` says that it is an integer: what a
    symbolic evaluation may take for granted.
    """

    latex: str
    unit: str
    description: str
    least: int = 1
    whole: bool = True


def real(latex: str, unit: str, description: str) -> Symbol:
    """Return the symbol of a real number of at least 0."""
    return Symbol(latex, unit, description, 0, whole=False)
