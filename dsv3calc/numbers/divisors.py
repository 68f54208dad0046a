"""Divisors of whole numbers."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import isqrt


def divisors(number: int) -> list[int]:
    """Return the divisors of a number, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [each for each in range(1, isqrt(number) + 1) if number % each == 0]
    return sorted({*small, *(number // each for each in small)})
