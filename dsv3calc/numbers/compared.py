"""Values compared: whether they are numbers, and the same."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import isfinite
from typing import Any

NOISE = 1e-9
"""Relative difference of floats that is none: sums of floats depend on their order."""


def is_number(value: object) -> bool:
    """Tell whether a value can be subtracted and divided."""
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def same(one: Any, two: Any) -> bool:
    """Tell whether two values are equal, floats but for their last digits.

    >>> same(0.1 + 0.2, 0.3), same(10**20, 10**20 + 1)
    (True, False)
    """
    if is_number(one) and is_number(two) and isinstance(one + two, float):
        return bool(abs(one - two) <= NOISE * max(abs(one), abs(two)))
    return bool(one == two)
