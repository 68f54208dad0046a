"""What a term does as one of its names grows: which way it goes, and how fast."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dsv3calc.expression import OPERATIONS, Term

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

UP, DOWN, FLAT = 1, -1, 0


class NotSmooth(ArithmeticError):
    """A term has a step or a corner where a derivative is asked for."""


@lru_cache(maxsize=4)  # one term is asked about each of its names
def bottom_up(term: Term) -> tuple[Term, ...]:
    """Return the distinct terms in a term, each after its parts."""
    return tuple(parts_of([term]))


def parts_of(terms: Iterable[Term]) -> Iterator[Term]:
    """Yield some terms and the distinct terms in them, each after its parts."""
    seen: set[int] = set()
    waiting: list[tuple[Term, bool]] = [(term, False) for term in terms]
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


# --- derivative


def derivative(term: Any, name: str, values: Mapping[str, Any]) -> Fraction:
    """Return the derivative of a term by a name, exactly, at the names' values.

    >>> T = Term("name", name="tokens")
    >>> derivative(Term("*", T, T), "tokens", {"tokens": 3})
    Fraction(6, 1)

    Raises
    ------
    NotSmooth
        Where the term has a corner there, or goes in steps.
    """
    return value_and_slope(term, name, values)[1]


def value_and_slope(term: Any, name: str, values: Mapping[str, Any]) -> tuple[Fraction, Fraction]:
    """Return the value of a term and its derivative by a name, both exactly.

    Raises
    ------
    NotSmooth
        Where the term has a corner there, or goes in steps.
    """
    if not isinstance(term, Term):
        return exactly(term), Fraction(0)
    known: dict[int, tuple[Any, Fraction]] = {}
    for each in bottom_up(term):
        if each.operation == "name":
            known[id(each)] = (exactly(values[each.name]), Fraction(int(each.name == name)))
            continue
        parts = [
            known[id(part)] if isinstance(part, Term) else (exactly(part), Fraction(0))
            for part in each.parts
        ]
        known[id(each)] = _slope(each.operation, parts)
    return known[id(term)]


def values_in(term: Term, values: Mapping[str, Any]) -> dict[int, Any]:
    """Return the value of a term and of each term in it, by ``id``."""
    return values_of(bottom_up(term), values, {})


def values_of(
    terms: Iterable[Term], values: Mapping[str, Any], known: Mapping[int, Any]
) -> dict[int, Any]:
    """Return the values of terms that are listed after their parts, on top of those ``known``."""
    found = dict(known)
    for each in terms:
        if each.operation == "name":
            found[id(each)] = values[each.name]
        else:
            parts = [found[id(part)] if isinstance(part, Term) else part for part in each.parts]
            found[id(each)] = OPERATIONS[each.operation](*parts)
    return found


def moved_by(terms: Iterable[Term], name: str) -> list[Term]:
    """Return those of some terms, listed after their parts, in which a name stands."""
    found: list[Term] = []
    seen: set[int] = set()
    for each in terms:
        if (
            each.name == name
            if each.operation == "name"
            else any(id(part) in seen for part in each.parts)
        ):
            seen.add(id(each))
            found.append(each)
    return found


def exactly(value: Any) -> Any:
    """Return a number as a fraction; what is none (a truth) as it is."""
    return value if isinstance(value, bool) else Fraction(value)


def _slope(operation: str, parts: list[tuple[Any, Fraction]]) -> tuple[Any, Fraction]:
    values = [value for value, _ in parts]
    slopes = [slope for _, slope in parts]
    if operation in _SMOOTH:
        return _SMOOTH[operation](values, slopes)
    if operation in ("maximum", "minimum"):
        return _corner(operation, values, slopes)
    if operation == "where":
        chosen = 1 if values[0] else 2
        return values[chosen], slopes[chosen]
    if operation in ("<", "<=", ">", ">="):
        if values[0] == values[1] and slopes[0] != slopes[1]:
            raise NotSmooth
        return OPERATIONS[operation](*values), Fraction(0)
    if any(slopes):
        raise NotSmooth
    if operation in ("floor_div", "ceil_div"):
        quotient = values[0] / values[1]
        return Fraction(
            quotient.__floor__() if operation == "floor_div" else quotient.__ceil__()
        ), (Fraction(0))
    return Fraction(OPERATIONS[operation](*(_plain(value) for value in values))), Fraction(0)


def _plain(value: Fraction) -> Any:
    return value.numerator if value.denominator == 1 else float(value)


def _corner(operation: str, values: list[Any], slopes: list[Fraction]) -> tuple[Any, Fraction]:
    a, b = values
    if a == b and slopes[0] != slopes[1]:
        raise NotSmooth
    first = (a >= b) is (operation == "maximum")
    return (a, slopes[0]) if first else (b, slopes[1])


def _power(values: list[Any], slopes: list[Fraction]) -> tuple[Any, Fraction]:
    base, exponent = values
    if slopes[1] or (exponent.denominator != 1 and slopes[0]):
        raise NotSmooth
    value = Fraction(base**exponent)
    return value, exponent * base ** (exponent - 1) * slopes[0] if slopes[0] else Fraction(0)


_SMOOTH: dict[str, Callable[[list[Any], list[Fraction]], tuple[Any, Fraction]]] = {
    "+": lambda v, s: (v[0] + v[1], s[0] + s[1]),
    "-": lambda v, s: (v[0] - v[1], s[0] - s[1]),
    "neg": lambda v, s: (-v[0], -s[0]),
    "*": lambda v, s: (v[0] * v[1], s[0] * v[1] + v[0] * s[1]),
    "/": lambda v, s: (v[0] / v[1], (s[0] * v[1] - v[0] * s[1]) / (v[1] * v[1])),
    "**": _power,
}
