"""A term at one point: its value there, and its values where some names change.

Terms that are equal share a slot, so that each is computed once for all names.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.symbolic.operations import OPERATIONS
from dsv3calc.symbolic.term import Term, bottom_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


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
        """Return which names each slot depends on, one bit for each name."""
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

    def at(self, values: Mapping[str, Any]) -> Any:
        """Return the value of the term where some names have other values."""
        return self._moved(values, self._slots_of(values))[self._top]

    def _slots_of(self, names: Iterable[str]) -> list[int]:
        """Return the slots that depend on one of some names, parts first."""
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
