"""The first and the last of many values that a query accepts.

A query refuses values: a tp that does not divide the heads, more experts for a token than there
are. Where there are too many values to try each, the search starts next to the ends, continues from
accepted values, and reports which it left out.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MOST_NEAR = 256
"""Values next to an end of which each is tried."""
MOST_STEPS = 400
"""Values that are tried above one that is accepted."""


class End(NamedTuple):
    """An end of the accepted values: the value, and the values beyond it that were left out."""

    value: int | None
    untried: Sequence[int] = ()


def first_accepted(
    values: Sequence[int], accepts: Callable[[int], bool], probes: Iterable[int] = ()
) -> End:
    """Return the first of ascending values that is accepted.

    ``probes`` are values to try where none of the first few is.

    >>> first_accepted(range(1000, 10**6), lambda value: value % 2048 == 0, [4096, 8192])
    End(value=4096, untried=range(1256, 4096))
    """
    for value in values[:MOST_NEAR]:
        if accepts(value):
            return End(value)
    others = values[MOST_NEAR:]
    known = next((each for each in _inside(probes, others) if accepts(each)), None)
    end = len(others) if known is None else bisect_left(others, known)
    return End(known, others[:end])


def last_accepted(
    values: Sequence[int], accepts: Callable[[int], bool], probes: Iterable[int] = ()
) -> End:
    """Return the last of ascending values that is accepted.

    Where none of the last few is, the search goes up from the largest of the first few and of the
    ``probes`` that is accepted, in steps that double.

    >>> last_accepted(range(24, 2**20), lambda value: 128 % value == 0)
    End(value=128, untried=range(385, 1048320))
    >>> last_accepted(range(33, 10**12), lambda value: value <= 3000).value
    3000
    """
    for value in reversed(values[-MOST_NEAR:]):
        if accepts(value):
            return End(value)
    others = values[:-MOST_NEAR]
    known = next((each for each in reversed(_inside(probes, others)) if accepts(each)), None)
    if known is None:
        known = next((each for each in reversed(others[:MOST_NEAR]) if accepts(each)), None)
    if known is None:
        return End(None, others[MOST_NEAR:])
    place, tried = _climb(others, others.index(known), accepts)
    return End(others[place], others[tried + 1 :])


def first_where(holds: Callable[[int], bool], least: int, most: int) -> int | None:
    """Return the first value from which on something holds; None where it never does.

    >>> first_where(lambda value: value * value >= 50, 0, 100)
    8
    """
    if not holds(most):
        return None
    while least < most:
        middle = (least + most) // 2
        if holds(middle):
            most = middle
        else:
            least = middle + 1
    return least


def _inside(probes: Iterable[int], values: Sequence[int]) -> list[int]:
    """Return the probes that are among ascending values."""
    return sorted(
        each for each in set(probes) if bisect_left(values, each) < bisect_right(values, each)
    )


def _climb(values: Sequence[int], place: int, accepts: Callable[[int], bool]) -> tuple[int, int]:
    """Return the place of the last accepted value found, and up to where each was tried above it.

    The values may be accepted up to a limit, or only in places: the limit is found by doubling
    steps and bisection, and some values above it are tried one by one.
    """
    left = MOST_STEPS
    while True:
        place = _limit(values, place, accepts)
        top = min(place + MOST_NEAR, len(values) - 1)
        found = next((each for each in range(top, place, -1) if accepts(values[each])), None)
        if found is None:
            return place, top
        left -= top - found + 1
        place = found
        if left <= 0:
            return place, place


def _limit(values: Sequence[int], place: int, accepts: Callable[[int], bool]) -> int:
    """Return a place from a given one on whose value is accepted, and the next one's is not."""
    step = 1
    while place + step < len(values) and accepts(values[place + step]):
        place += step
        step *= 2
    refused = min(place + step, len(values))
    while refused - place > 1:
        middle = (place + refused) // 2
        if accepts(values[middle]):
            place = middle
        else:
            refused = middle
    return place
