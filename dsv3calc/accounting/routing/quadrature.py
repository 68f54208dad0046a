"""Gauss-Legendre quadrature in plain Python: what a query can afford."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONVERGED = 1e-15


@lru_cache(maxsize=32)
def legendre(order: int) -> tuple[tuple[float, float], ...]:
    """Return the points and weights of Gauss-Legendre quadrature on (0, 1), in rising order."""
    found = []
    for number in range(order, 0, -1):
        x = math.cos(math.pi * (number - 0.25) / (order + 0.5))
        slope = step = 1.0
        while abs(step) > _CONVERGED:
            before, value = 1.0, x
            for degree in range(2, order + 1):
                before, value = (
                    value,
                    ((2 * degree - 1) * x * value - (degree - 1) * before) / degree,
                )
            slope = order * (x * value - before) / (x * x - 1)
            step = value / slope
            x -= step
        found.append(((1 + x) / 2, 1 / ((1 - x * x) * slope * slope)))
    return tuple(found)


def points(order: int, low: float, high: float) -> Iterator[tuple[float, float]]:
    """Yield points and weights on (low, high), in rising order."""
    width = high - low
    for place, weight in legendre(order):
        yield low + width * place, width * weight


def graded_to_one(order: int, low: float) -> Iterator[tuple[float, float]]:
    """Yield points and weights up to 1, dense at 1: the score is infinitely steep there."""
    width = 1 - low
    for place, weight in legendre(order):
        yield 1 - width * place * place, 2 * width * place * weight
