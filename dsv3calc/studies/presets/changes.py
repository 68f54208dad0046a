"""Values that differ between two sets of them: by how much, in exact arithmetic."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import gcd, inf, log, log1p
from typing import TYPE_CHECKING, Any

from dsv3calc.numbers import decimals
from dsv3calc.numbers.compared import is_number, same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Change:
    """One value that differs: where it stands, whether at the top; how much is told when asked.

    Most of a large result are sub-items that nothing lists: no arithmetic is done for them.
    ``over`` tells whether it is beyond a bound, where there is one.
    """

    __slots__ = ("a", "b", "column", "name", "over", "section", "top", "unit")

    def __init__(
        self, section: str, column: str, name: str, unit: str, a: Any, b: Any, *, top: bool
    ) -> None:
        self.section = section
        self.column = column
        self.name = name
        self.unit = unit
        self.a = a
        self.b = b
        self.top = top
        self.over: bool | None = None

    def _share(self) -> tuple[int, int] | None:
        """Return the relative change as a ratio of integers, None where there is none."""
        if not (is_number(self.a) and is_number(self.b) and self.a):
            return None
        (one, per_one), (two, per_two) = exact(self.a), exact(self.b)
        if one * two < 0:
            return None  # -98 GiB to 48 GiB is no fall by 149 %
        numerator, denominator = two * per_one - one * per_two, one * per_two
        return (numerator, denominator) if denominator > 0 else (-numerator, -denominator)

    @property
    def effect(self) -> float:
        """What changes are ranked by: |ln ratio|, infinite where there is no percentage."""
        share = self._share()
        return inf if share is None else _effect(*share)

    @property
    def row(self) -> dict[str, Any]:
        """The row of an answer."""
        a, b, share = self.a, self.b, self._share()
        difference: float | None = None
        if is_number(a) and is_number(b):
            if isinstance(a, int) and isinstance(b, int):
                difference = b - a
            else:
                (one, per_one), (two, per_two) = exact(a), exact(b)
                difference = as_float(two * per_one - one * per_two, per_one * per_two)
        ratio = change = None
        if share is not None:
            numerator, denominator = share
            ratio = as_float(numerator + denominator, denominator)
            change = as_float(100 * numerator, denominator)
        row = {
            "section": self.section,
            "column": self.column,
            "name": self.name,
            "unit": self.unit,
            "a": a,
            "b": b,
            "difference": difference,
            "ratio": ratio,
            "change": change,
            "status": "added" if a is None else "removed" if b is None else "changed",
        }
        return row if self.over is None else row | {"over": self.over}

    def exceeds(self, bound: tuple[int, int]) -> bool:
        """Tell whether it is larger than a share; what has no percentage always is."""
        share = self._share()
        return share is None or abs(share[0]) * bound[1] > bound[0] * share[1]


def exact(value: float) -> tuple[int, int]:
    """Return a number as it is written, as a ratio of integers: 0.1 is one tenth.

    >>> exact(0.1), exact(2**70) == (2**70, 1)
    ((1, 10), True)
    """
    return (value, 1) if isinstance(value, int) else decimals.decimal_ratio(value)


def as_float(numerator: int, denominator: int) -> float | None:
    """Return the float nearest to a ratio, or None where no float is so large.

    >>> as_float(3, 2), as_float(10**400, 1)
    (1.5, None)
    """
    try:
        return numerator / denominator
    except OverflowError:
        return None


def _effect(numerator: int, denominator: int) -> float:
    """Return |ln ratio| of a relative change; infinite where the sign changed or nothing is left.

    >>> _effect(1, 1) == _effect(-1, 2), _effect(-1, 1)
    (True, inf)
    """
    whole = numerator + denominator
    if whole <= 0:
        return inf
    if 4 * abs(numerator) < denominator:
        return abs(log1p(numerator / denominator))
    common = gcd(whole, denominator)
    return abs(log(whole // common) - log(denominator // common))


class Values:
    """The values of one ledger by name, their units, and the names that stand at its top."""

    __slots__ = ("top", "units", "values")

    def __init__(self, values: dict[str, Any], units: dict[str, str], top: set[str]) -> None:
        self.values = values
        self.units = units
        self.top = top


def compare_values(section: str, column: str, a: Values, b: Values) -> tuple[list[Change], int]:
    """Return what differs between two sets of values, and how many were compared.

    A value whose unit is another is another quantity: one is removed, one added.
    """
    names = list(dict.fromkeys([*a.values, *b.values]))
    changes = list(_changes(section, column, a, b, names))
    return changes, len(names)


def _changes(
    section: str, column: str, a: Values, b: Values, names: Iterable[str]
) -> Iterator[Change]:
    for name in names:
        one, two = a.values.get(name), b.values.get(name)
        old, new = a.units.get(name, ""), b.units.get(name, "")
        top = name in a.top or name in b.top
        if one is not None and two is not None and old == new:
            if not same(one, two):
                yield Change(section, column, name, old, one, two, top=top)
            continue
        if one is not None:
            yield Change(section, column, name, old, one, None, top=top)
        if two is not None:
            yield Change(section, column, name, new, None, two, top=top)
