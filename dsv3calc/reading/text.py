"""A text that is read, its lines, and the limits on what is read."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import msgspec

from dsv3calc.reading.diagnostics import Problem

LARGEST = 512 * 1024  # bytes of one input; a preset has some ten thousand
LARGEST_JSON = 5 * 1024 * 1024  # bytes of one JSON input; a config may list every expert by name
DEEPEST = 64  # levels of nesting
MOST_COMMAS = 2**18  # of one JSON input, which bound its values and the time to read them
LONGEST_NUMBER = 40  # characters of one number
MOST_PROBLEMS = 50  # reported of one text

PathInData = tuple[str | int, ...]


def dotted(path: PathInData) -> str:
    """Return a path as people write it: ``layers[2].attention``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


class Position(msgspec.Struct, frozen=True):
    """A place in a text; ``line`` and ``column`` count from 1, in characters."""

    line: int
    column: int


class Text:
    """One input text and its name; ``largest`` bounds its characters.

    ``form`` is "yaml" or "json", by the name's ending unless given. ``not_finite`` accepts NaN and
    the infinities of a JSON text.
    """

    __slots__ = ("_lines", "form", "largest", "name", "not_finite", "text")

    def __init__(self, name: str, text: str, form: str = "", largest: int = LARGEST) -> None:
        self.name = name
        self.text = text.removeprefix("\ufeff")
        self.form = form or ("json" if name.lower().endswith(".json") else "yaml")
        self.largest = largest
        self.not_finite = False
        self._lines: list[str] | None = None

    def line(self, number: int) -> str:
        """Return a line of the text, counted from 1; empty outside of it."""
        if self._lines is None:
            self._lines = self.text.split("\n")
        if not 1 <= number <= len(self._lines):
            return ""
        return self._lines[number - 1].rstrip("\r")

    def problem(self, position: Position | None, what: str, **more: str) -> Problem:
        """Return a problem at a place of this text, the source line quoted."""
        if position is None:
            return Problem(self.name, None, None, what, **more)
        text = self.line(position.line)
        # an excerpt is all that is ever shown
        shown = text if len(text) < 10_000 else ""  # noqa: PLR2004 - a line of a hostile file
        return Problem(self.name, position.line, position.column, what, source_line=shown, **more)
