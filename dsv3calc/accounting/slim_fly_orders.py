"""The orders q for which a Slim Fly exists: number theory, on ints alone."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import isqrt

from dsv3calc.formulas import slim_fly

LEAST_Q = 3
"""The smallest Slim Fly: 18 switches."""


def is_slim_fly_order(q: int) -> bool:
    """Tell whether a graph of McKay, Miller and Širáň of order q is known.

    That takes a prime power 4w + δ with δ in -1, 0, 1 and w at least 1: any prime power but 2.

    >>> [q for q in range(31) if is_slim_fly_order(q)]
    [3, 4, 5, 7, 8, 9, 11, 13, 16, 17, 19, 23, 25, 27, 29]
    """
    if q < LEAST_Q:
        return False
    prime = next((d for d in range(2, isqrt(q) + 1) if q % d == 0), q)
    while q % prime == 0:
        q //= prime
    return q == 1


def neighbours(q: int) -> tuple[int, ...]:
    """Return the orders nearest to q, below and above, for which there is a Slim Fly.

    >>> neighbours(28), neighbours(2)
    ((27, 29), (3,))
    """
    below = next((n for n in range(q - 1, LEAST_Q - 1, -1) if is_slim_fly_order(n)), None)
    above = next(n for n in range(max(q + 1, LEAST_Q), 2 * q + 4) if is_slim_fly_order(n))
    return (above,) if below is None else (below, above)


def largest_order(radix: int) -> int | None:
    """Return the largest q whose Slim Fly a switch of ``radix`` ports can build, or None.

    The switch must have room for half as many endpoints as it has network ports, rounded down.

    >>> largest_order(64), largest_order(62), largest_order(6)
    (29, 27, None)
    """
    # about 3q/2 ports for the network and half as many for endpoints: 9q/4 ports in all
    for q in range(4 * (radix + 2) // 9 + 2, LEAST_Q - 1, -1):
        degree = slim_fly.slim_fly_network_radix(q)
        if degree + degree // 2 <= radix and is_slim_fly_order(q):
            return q
    return None
