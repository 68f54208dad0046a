"""Whether a term rises or falls as one of its names grows."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.symbolic.operations import OPERATIONS
from dsv3calc.symbolic.term import fold

if TYPE_CHECKING:
    from collections.abc import Iterable

UP, DOWN, FLAT = 1, -1, 0

Course = tuple[int | None, bool]
"""Whether a term rises, falls or stays, None if unknown; and whether it is known not to be
negative."""


def direction(term: Any, name: str) -> int | None:
    """Return whether a term provably rises (1), falls (-1) or stays (0) as a name grows from 0.

    None means unknown, not that it turns. Other names may have any value from 0 on.

    >>> from dsv3calc.symbolic.term import Term
    >>> direction(70272 * Term("name", name="tokens") + 64, "tokens")
    1
    """
    way, _ = fold(
        term,
        lambda each: (UP if each == name else FLAT, True),
        _course,
        lambda number: (FLAT, number >= 0),
    )
    found: int | None = way
    return found


def _course(operation: str, parts: list[Course]) -> Course:
    row = OPERATIONS[operation]
    signs = [nonnegative for _, nonnegative in parts]
    sure = all(signs) or not row.senses_from_zero
    senses = row.senses if sure else (None,) * len(parts)
    ways = [_turned(way, sense) for (way, _), sense in zip(parts, senses, strict=True)]
    return _together(ways), row.sign(signs)


def _turned(way: int | None, sense: int | None) -> int | None:
    if way == FLAT:
        return FLAT
    return None if way is None or sense is None else way * sense


def _together(ways: Iterable[int | None]) -> int | None:
    moving = {way for way in ways if way != FLAT}
    if not moving:
        return FLAT
    return moving.pop() if len(moving) == 1 else None
