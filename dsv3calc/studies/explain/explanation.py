"""What an explanation consists of: a line in words, symbols and numbers over what goes into it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a value was read. ``kind`` is that of its source, or ``query`` or ``definition``."""

    kind: str
    citation: str = ""
    file: str = ""
    line: int | None = None
    url: str = ""
    read: str = ""
    note: str = ""


class Input:
    """What goes into a line: a part of it, or a formula's argument with its symbol and meaning."""

    __slots__ = ("line", "meaning", "parameter", "symbol")

    def __init__(
        self, line: Explained, parameter: str = "", symbol: str = "", meaning: str = ""
    ) -> None:
        self.line = line
        self.parameter = parameter
        self.symbol = symbol
        self.meaning = meaning


class Explained:
    """A line in words, in symbols and in numbers, over what goes into it.

    ``words`` has the names of the inputs where ``symbols`` has their symbols and ``numbers`` their
    values; ``summary`` is the sentence that says what is computed and ``source`` whose formula it
    is. ``origin`` is that of a value that was read.
    """

    __slots__ = (
        "convention", "formula", "inputs", "name", "numbers", "origin", "rule", "source", "summary",
        "symbols", "unit", "value", "words",
    )  # fmt: skip

    def __init__(self, line: Line) -> None:
        self.name = line.name
        self.value = line.value
        self.unit = line.unit
        self.rule = line.rule
        self.convention = line.convention
        self.formula = ""
        self.summary = ""
        self.words = ""
        self.symbols = ""
        self.numbers = ""
        self.source = ""
        self.origin: Origin | None = None
        self.inputs: list[Input] = []

    def as_data(self, told: set[str] | None = None) -> dict[str, Any]:
        """Return the line as plain data; what stands in full already is marked ``repeated``."""
        told = set() if told is None else told
        found: dict[str, Any] = {"name": self.name, "value": self.value, "unit": self.unit}
        if self.rule != "given" and self.name in told:
            return found | {"rule": self.rule, "repeated": True}
        told.add(self.name)
        found["rule"] = self.rule
        for field in ("convention", "formula", "summary", "words", "symbols", "numbers", "source"):
            if getattr(self, field):
                found[field] = getattr(self, field)
        if self.origin is not None:
            found["origin"] = self.origin
        if self.inputs:
            found["inputs"] = [
                {
                    key: getattr(each, key)
                    for key in ("parameter", "symbol", "meaning")
                    if getattr(each, key)
                }
                | {"line": each.line.as_data(told)}
                for each in self.inputs
            ]
        return found


class Explanation:
    """One line of one column, explained."""

    __slots__ = ("column", "line", "title")

    def __init__(self, column: str, title: str, line: Explained) -> None:
        self.column = column
        self.title = title
        self.line = line
