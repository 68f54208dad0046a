"""Which way a term surely goes as one of its names grows."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.symbolic.term import Term

if TYPE_CHECKING:
    from collections.abc import Iterator

UP, DOWN, FLAT = 1, -1, 0


def bottom_up(term: Term) -> Iterator[Term]:
    """Yield a term and the distinct terms in it, each after its parts."""
    seen: set[int] = set()
    waiting: list[tuple[Term, bool]] = [(term, False)]
    while waiting:
        each, ready = waiting.pop()
        if ready:
            yield each
        elif id(each) not in seen:
            seen.add(id(each))
            waiting.append((each, True))
            waiting.extend((part, False) for part in each.parts if isinstance(part, Term))


# --- direction


class _Course:
    """Whether a term is surely not negative, and which way it goes; None where that is not sure."""

    __slots__ = ("direction", "nonnegative")

    def __init__(self, direction: int | None, nonnegative: bool) -> None:  # noqa: FBT001
        self.direction = direction
        self.nonnegative = nonnegative


def direction(term: Any, name: str) -> int | None:
    """Return whether a term surely rises (1), falls (-1) or stays (0) as a name grows from 0 on.

    None is no proof that it turns: it is not known. Other names may have any value from 0 on.

    >>> T = Term("name", name="tokens")
    >>> direction(Term("+", Term("*", 70272, T), 64), "tokens")
    1
    """
    if not isinstance(term, Term):
        return FLAT
    known: dict[int, _Course] = {}
    for each in bottom_up(term):
        if each.operation == "name":
            known[id(each)] = _Course(UP if each.name == name else FLAT, nonnegative=True)
            continue
        parts = [
            known[id(part)] if isinstance(part, Term) else _Course(FLAT, part >= 0)
            for part in each.parts
        ]
        known[id(each)] = _course(each.operation, parts)
    return known[id(term)].direction


def _course(operation: str, parts: list[_Course]) -> _Course:
    signs = [part.nonnegative for part in parts]
    ways = [part.direction for part in parts]
    sure = all(signs)
    way: int | None = None
    if operation in ("+", "maximum", "minimum"):
        sure = any(signs) if operation == "maximum" else sure
        way = _together(*ways)
    elif operation in ("-", "neg"):
        sure = False
        way = _together(*ways[:-1], _turned(ways[-1]))
    elif operation == "*" and sure:
        way = _together(*ways)
    elif operation in ("/", "floor_div", "ceil_div") and sure:
        way = _together(ways[0], _turned(ways[1]))
    elif operation == "**" and sure and ways[1] == FLAT:
        way = ways[0]
    else:
        sure = sure or operation in ("<", "<=", ">", ">=", "binomial")
    return _Course(FLAT if all(each == FLAT for each in ways) else way, sure)


def _turned(way: int | None) -> int | None:
    return None if way is None else -way


def _together(*ways: int | None) -> int | None:
    moving = {way for way in ways if way != FLAT}
    if not moving:
        return FLAT
    return moving.pop() if len(moving) == 1 else None
