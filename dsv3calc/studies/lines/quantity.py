"""A number of a query that may be left open, changed or solved for."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.formulas.registry.glossary import SYMBOLS
from dsv3calc.symbolic.term import Term

if TYPE_CHECKING:
    from dsv3calc.formulas.registry.symbols.symbol import Symbol


class Quantity:
    """A number of a query: its name, the places where it is read, its present value."""

    __slots__ = ("name", "places", "value")

    def __init__(self, name: str, places: tuple[str, ...], value: Any) -> None:
        self.name = name
        self.places = places
        self.value = value

    @property
    def term(self) -> Term:
        """The number as a name in expressions."""
        return Term("name", name=self.name)

    @property
    def field(self) -> str:
        """The last part of its name: that of the field it is."""
        return self.name.rpartition(".")[2]

    @property
    def symbol(self) -> Symbol | None:
        """How the field is written and what it is."""
        return SYMBOLS.get(self.field)
