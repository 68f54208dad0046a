"""The operations of :mod:`dsv3calc.numbers.ops` on sympy expressions."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy

if TYPE_CHECKING:
    from collections.abc import Sequence

maximum = sympy.Max
minimum = sympy.Min
binomial = sympy.binomial


def floor_div(a: Any, b: Any) -> Any:
    """Return the floor of ``a / b``."""
    return sympy.floor(ratio(a, b))


def ceil_div(a: Any, b: Any) -> Any:
    """Return the ceiling of ``a / b``."""
    return sympy.ceiling(ratio(a, b))


def ratio(a: Any, b: Any) -> Any:
    """Return ``a / b``."""
    return sympy.sympify(a) / b


def where(condition: Any, a: Any, b: Any) -> Any:
    """Return ``a`` where ``condition`` holds, else ``b``."""
    return sympy.Piecewise((a, condition), (b, True))


def lookup(table: Sequence[int], index: Any) -> Any:
    """Return the entry of a table at an index."""
    *cases, last = [(entry, sympy.Eq(index, place)) for place, entry in enumerate(table)]
    return sympy.Piecewise(*cases, (last[0], True))
