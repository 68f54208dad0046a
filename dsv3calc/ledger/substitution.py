"""Lines of one composition under other names, so that it can stand in a ledger several times."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.ledger.line import Line

if TYPE_CHECKING:
    from collections.abc import Mapping


class Substitution:
    """Puts a prefix before the names of computed lines, and lines in place of given ones.

    ``given`` has, by the place that a number was read from, the line that stands for it: its value
    is the one that was read. Other numbers that were read keep their places. Without a prefix and
    without given ones lines are what they were.
    """

    def __init__(self, prefix: str, given: Mapping[str, Line]) -> None:
        self.prefix = prefix
        self.given = given
        self._known: dict[Line, Line] = {}

    def line(self, line: Line) -> Line:
        """Return what stands for a line."""
        if not self.prefix and not self.given:
            return line
        if line not in self._known:
            self._known[line] = self._made(line)
        return self._known[line]

    def _made(self, line: Line) -> Line:
        if line.rule == "given":
            return self.given.get(line.name, line)
        arguments = {}
        for parameter, value, place in line.arguments:
            if type(value) is Line:
                arguments[parameter] = self.line(value)
            elif place in self.given:
                arguments[parameter] = self.given[place]
        return line.changed(
            f"{self.prefix}{line.name}", [self.line(part) for part in line.parts], arguments
        )

    def lines(self, lines: Mapping[str, Line]) -> dict[str, Line]:
        """Return what stands for each of several lines."""
        return {name: self.line(each) for name, each in lines.items()}
