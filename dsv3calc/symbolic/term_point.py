"""A term at one point: its value, its derivatives, and its values where one name changes.

Terms that are equal share a slot, so that each is computed once for all names.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dsv3calc.symbolic.derivative import NotSmooth, exactly
from dsv3calc.symbolic.operations import OPERATIONS
from dsv3calc.symbolic.term import Term, bottom_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROUNDED = ("floor_div", "ceil_div")


class Point:
    """A term at values of its names.

    Parameters
    ----------
    term
        A term or a number.
    values
        The value of each name.
    """

    def __init__(self, term: Any, values: Mapping[str, Any]) -> None:
        self._operations: list[str] = []
        self._parts: list[tuple[int, ...]] = []
        self._values: list[Any] = []
        self._slots: dict[Any, int] = {}
        self._bits: dict[str, int] = {}
        self._name_at: dict[int, str] = {}
        self._moving: tuple[int, list[int]] = (0, [])
        self._given = values
        self._top = self._put(term)
        self._movers = self._names_below()

    def _put(self, term: Any) -> int:
        """Give a term and all that is in it slots, parts first, and compute them."""
        if not isinstance(term, Term):
            return self._slot("number", (), term)
        known: dict[int, int] = {}
        for each in bottom_up(term):
            if each.operation == "name":
                known[id(each)] = self._slot("name", (), each.name)
                continue
            parts = tuple(
                [
                    known[id(part)] if isinstance(part, Term) else self._slot("number", (), part)
                    for part in each.parts
                ]
            )
            known[id(each)] = self._slot(each.operation, parts, None)
        return known[id(term)]

    def _slot(self, operation: str, parts: tuple[int, ...], leaf: Any) -> int:
        key = (operation, parts) if parts else (operation, type(leaf), leaf)
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = len(self._values)
            self._operations.append(operation)
            self._parts.append(parts)
            if operation == "name":
                self._bits[leaf] = 1 << len(self._bits)
                self._name_at[slot] = leaf
                leaf = self._given[leaf]
            elif parts:
                leaf = OPERATIONS[operation].value(*[self._values[part] for part in parts])
            self._values.append(leaf)
        return slot

    def _names_below(self) -> list[int]:
        """Return which names stand in each slot, one bit for each."""
        found: list[int] = []
        for slot, operation in enumerate(self._operations):
            names = self._bits[self._name_at[slot]] if operation == "name" else 0
            for part in self._parts[slot]:
                names |= found[part]
            found.append(names)
        return found

    @property
    def value(self) -> Any:
        """The value of the term."""
        return self._values[self._top]

    # --- where names change

    def at(self, values: Mapping[str, Any]) -> Any:
        """Return the value of the term where some names have other values."""
        return self._moved(values, self._slots_of(values))[self._top]

    def _slots_of(self, names: Iterable[str]) -> list[int]:
        """Return the slots in which one of some names stands, parts first."""
        bits = 0
        for name in names:
            bits |= self._bits.get(name, 0)
        if self._moving[0] != bits:
            self._moving = bits, [slot for slot, below in enumerate(self._movers) if below & bits]
        return self._moving[1]

    def _moved(self, there: Mapping[str, Any], slots: Iterable[int]) -> list[Any]:
        """Return the values of all slots, some computed anew where names have other values."""
        values = self._values.copy()
        for slot in slots:
            parts = self._parts[slot]
            values[slot] = (
                OPERATIONS[self._operations[slot]].value(*[values[part] for part in parts])
                if parts
                else there[self._name_at[slot]]
            )
        return values

    @cached_property
    def _rounded(self) -> set[int]:
        """The slots that rounded quotients stand on, and they themselves."""
        found: set[int] = set()
        for slot in reversed(range(len(self._parts))):
            if slot in found or self._operations[slot] in ROUNDED:
                found |= {slot, *self._parts[slot]}
        return found

    def quotients(self, name: str, value: Any) -> list[tuple[Any, Any, Any, Any]]:
        """Return the rounded quotients in which a name stands, each after those inside of it.

        Each as numerator and denominator here, then where the name has another value.
        """
        slots = [slot for slot in self._slots_of((name,)) if slot in self._rounded]
        there = self._moved({name: value}, slots)
        return [
            (*(values[part] for values in (self._values, there) for part in self._parts[slot]),)
            for slot in slots
            if self._operations[slot] in ROUNDED
        ]

    # --- derivatives

    @property
    def exact_value(self) -> Any:
        """The value of the term, nothing rounded."""
        return self._exact[0]

    @property
    def slopes(self) -> dict[str, Any]:
        """The derivative by each name that has one, exactly: no corner is here, and no step."""
        return self._exact[1]

    @cached_property
    def _exact(self) -> tuple[Any, dict[str, Any]]:
        """The exact value of the term and its derivatives, found in one pass for all names."""
        values: list[Any] = []
        slopes: list[dict[str, Any]] = []
        rough: set[str] = set()
        none: dict[str, Any] = {}
        for slot, operation in enumerate(self._operations):
            parts = self._parts[slot]
            if not parts:
                values.append(exactly(self._values[slot]))
                slopes.append({self._name_at[slot]: 1} if operation == "name" else none)
                continue
            numbers = [values[part] for part in parts]
            row = OPERATIONS[operation]
            values.append((row.exact or row.value)(*numbers))
            beneath = [slopes[part] for part in parts]
            slopes.append(_slopes(operation, numbers, beneath, rough) or none)
        found = dict.fromkeys(self._given, 0) | slopes[self._top]
        return values[self._top], {name: found[name] for name in found if name not in rough}


def _slopes(
    operation: str, values: list[Any], parts: list[dict[str, Any]], rough: set[str]
) -> dict[str, Any]:
    """Return the derivatives of an operation that are not 0; note in ``rough`` which are none."""
    found: dict[str, Any] = {}
    for name in {name for slopes in parts for name in slopes} - rough:
        try:
            slope = OPERATIONS[operation].slope(values, [slopes.get(name, 0) for slopes in parts])
        except NotSmooth:
            rough.add(name)
        else:
            if slope:
                found[name] = slope
    return found


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
    point = Point(term, values)
    if name in point.slopes:
        return Fraction(point.slopes[name])
    raise NotSmooth
