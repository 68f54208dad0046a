"""Tables and remarks as lines of text, for a terminal's width or at their natural width.

Where a table is wider than the terminal, words wrap at spaces, and columns that still find no room
follow in further blocks below, with the labels of the rows repeated (but for rows that are empty
there). Labels that take more than half of the width stand on lines of their own instead. Nothing
is cut: where even the labels and one column are too wide, they take the width that they need.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from dsv3calc.formulas.registry.plain_text import GREEK
from dsv3calc.reading.diagnostics import text_width
from dsv3calc.reading.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsv3calc.output.options import OutputOptions
    from dsv3calc.output.view import Table, View

PAGE = 80
"""Columns of what is mostly words where there is no terminal."""
GAP = 3
"""Columns between two columns of a table."""
LABELS = (6, 3)
"""Labels that wrap keep a sixth of the width, and take no more than a third of it."""
WORDS = 8
"""Other columns of words keep at least an eighth of the width."""

ASCII = str.maketrans(
    {"µ": "u", "×": "x", "±": "+-", "…": "...", "│": "|", "├": "|", "└": "`",
     "─": "-", "·": "*", "\N{MINUS SIGN}": "-", "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")",
     "≤": "<=", "≥": ">=", "′": "'", "§": "section ",
     **dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)),
     **{letter: name for name, letter in GREEK.items()}}
)  # fmt: skip
"""What stands for letters that are not ASCII where the output has no others."""
_EXPONENT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹]+")


def in_ascii(text: str) -> str:
    """Return a text with what stands for its letters that are not ASCII.

    >>> in_ascii("ℓ_b · β² ≤ n¹⁰")
    'ell_b * beta^2 <= n^10'
    """
    return _EXPONENT.sub(r"^\g<0>", text).translate(ASCII)


_NUMBER = re.compile(r"\W*\d([\d.,]*\d)?")


class Line(NamedTuple):
    """A line of text; ``style`` names the look of its first ``styled`` characters, or of all."""

    text: str
    style: str = ""
    styled: int | None = None


def terminal_width(options: OutputOptions) -> int | None:
    """Return the columns of the terminal that is written to; None where it is another place."""
    if options.file is not None or not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size((PAGE, 24)).columns


def lines_of(
    view: View,
    told: list[tuple[str, str]],
    *,
    width: int | None,
    ascii_only: bool = False,
    in_brief: bool = False,
) -> Iterator[Line]:
    """Yield the lines of a view, and of what is told below it.

    What is told has a word in front, or none; in brief all but a warning is cut to a line.
    ``width`` is the terminal's; where it is None only tables of words wrap, at a page's width.
    """

    def clean(text: str) -> str:
        return in_ascii(escape(text)) if ascii_only else escape(text)

    for heading in view.heading:
        yield from (Line(text, "heading") for text in wrap(clean(heading), width))
    for table in view.tables:
        yield Line("")
        yield from _Grid(table, clean, width).lines()
    if view.tables:
        yield Line("")
    for word, text in told:
        line = f"{word}: {clean(text)}" if word else clean(text)
        if in_brief and word != "warning":
            line = _cut(line, width)
        first, *more = wrap(line, width, hang=2)
        yield Line(first, word or "more", len(word) + 1 if word else None)
        yield from map(Line, more)


def _cut(text: str, width: int | None) -> str:
    """Return as many words of a text as a line takes."""
    if width is None or text_width(text) <= width:
        return text
    return f"{wrap(text, width - 2)[0]} …"


def wrap(text: str, width: int | None, hang: int = 0) -> list[str]:
    """Break a line at spaces; a word that is wider than the line stays whole.

    A number stays with the word after it, its unit as a rule, where there is room for both. What
    follows is indented like the first line, and by ``hang`` more.

    Examples
    --------
    >>> wrap("  one two three", 9, hang=1)
    ['  one two', '   three']
    >>> wrap("it holds 80 GiB", 11)
    ['it holds', '80 GiB']
    """
    text = text.rstrip()
    if width is None or text_width(text) <= width:
        return [text]
    indent = text[: len(text) - len(text.lstrip(" "))]
    first, *words = _words(text, width - len(indent) - hang)
    lines, line = [], indent + first
    for word in words:
        if text_width(line) + 1 + text_width(word) <= width:
            line += f" {word}"
        else:
            lines.append(line)
            line = indent + " " * hang + word.lstrip(" ")
    return [*lines, line]


def _words(text: str, width: int) -> list[str]:
    """Divide a text where it is best broken, each word with the spaces before it but one."""
    words: list[str] = []
    number = False
    spaces = ""
    for word in text.strip(" ").split(" "):
        if not word:
            spaces += " "
            continue
        before, number = number, _NUMBER.fullmatch(word) is not None
        unit = f"{words[-1]} {spaces}{word}" if before and not number else ""
        if unit and text_width(unit) <= width:
            words[-1] = unit
        else:
            words.append(spaces + word)
        spaces = ""
    return words


def _least_width(text: str, hang: int = 0) -> int:
    """Return the width that a text takes where it is broken wherever it may be."""
    return max(map(text_width, wrap(text, 1, hang)))


def _aligned(text: str, width: int, *, left: bool) -> str:
    room = " " * (width - text_width(text))
    return text + room if left else room + text


class _Grid:
    """A table being drawn: its texts, and how wide its columns are and may become."""

    def __init__(self, table: Table, clean: Callable[[str], str], width: int | None) -> None:
        self.table = table
        self.width = width = width or (PAGE if table.words else None)
        self.rule = clean("─")
        count = len(table.headings)
        self.headings = [clean(heading) for heading in table.headings]
        self.rows = [
            [clean(cell) for cell in row]
            + [""] * (0 if table.is_section(row) else count - len(row))
            for row in table.rows
        ]
        cells = [row for row in self.rows if not self._is_remark(row)]
        self.columns = [[row[column] for row in cells] for column in range(count)]
        self.natural = [
            max(map(text_width, [heading, *column]))
            for heading, column in zip(self.headings, self.columns, strict=True)
        ]
        self.least = list(map(self._least, range(count))) if width else list(self.natural)
        if not table.words:  # the numbers of a section stand beside its heading, not below it
            sections = [text_width(row[0]) for row in self.rows if table.is_section(row)]
            self.natural[0] = max([self.natural[0], *sections])
        self.labels = list(range(table.labels))
        self.apart: list[int] = []
        self.margin = 1
        self.shown = list(range(table.labels, count))
        while len(self.shown) > count - table.labels - table.optional and len(self._blocks()) > 1:
            self.shown.pop()
        if width and self._taken(self.labels) > width // 2 and len(self._blocks()) > 1:
            self.labels, self.apart, self.margin = [], self.labels, 3

    def _least(self, column: int) -> int:
        """Return the width below which a column must not shrink."""
        cells = self.columns[column]
        heading = _least_width(self.headings[column])
        if column not in self.table.left:
            return max([heading, *map(text_width, cells)])
        words = [_least_width(text, self._hang(column)) for text in cells]
        share = (self.width or PAGE) // (LABELS[0] if column < self.table.labels else WORDS)
        return min(self.natural[column], max([heading, share, *words]))

    def lines(self) -> Iterator[Line]:
        """Yield the lines of the table, block by block."""
        for number, block in enumerate(self._blocks()):
            if number:
                yield Line("")
            widths = self._widths(block)
            yield from self._label(self.headings, "heading")
            headings = {column: wrap(self.headings[column], widths[column]) for column in block}
            yield from self._drawn(headings, widths, "heading")
            total = sum(widths.values()) + GAP * (len(widths) - 1)
            yield Line(" " * self.margin + self.rule * total)
            shown = range(len(self.headings)) if number == 0 else block[len(self.labels) :]
            for row in self.rows:
                if self.table.is_section(row):
                    yield from self._across(row[0], "section")
                elif not self._is_remark(row):
                    if any(row[column] for column in shown):
                        texts = {column: self._wrap(column, row[column], widths[column])
                                 for column in block}  # fmt: skip
                        yield from self._label(row)
                        yield from self._drawn(texts, widths)
                elif number == 0:
                    yield from self._across(row[0])
        left_out = self.headings[self.table.labels + len(self.shown) :]
        if left_out:
            yield from self._across(f"no room for: {', '.join(left_out)} (--format csv has all)")

    def _label(self, row: list[str], style: str = "") -> Iterator[Line]:
        """Yield the lines of labels that stand apart from their columns."""
        if self.apart:
            yield from self._across("  ".join(row[column] for column in self.apart), style)

    def _across(self, text: str, style: str = "") -> Iterator[Line]:
        """Yield the lines of a text over all columns."""
        room = None if self.width is None else self.width - 1
        return (Line(f" {line}", style) for line in wrap(text, room, hang=2))

    def _blocks(self) -> list[list[int]]:
        """Divide the columns among blocks; the labels of the rows are in each."""
        blocks, block = [], list(self.labels)
        for column in self.shown:
            full = self.width is not None and self._taken([*block, column]) > self.width
            if full and len(block) > len(self.labels):
                blocks.append(block)
                block = list(self.labels)
            block.append(column)
        return [*blocks, block]

    def _taken(self, block: list[int]) -> int:
        """Return the width that columns take where their words wrap."""
        return self.margin + sum(self.least[each] for each in block) + GAP * (len(block) - 1)

    def _widths(self, block: list[int]) -> dict[int, int]:
        """Return the widths of a block's columns: what is free is shared by those that wrap."""
        if self.width is None:
            return {column: self.natural[column] for column in block}
        widths = {column: self.least[column] for column in block}
        room = self.width - self.margin - GAP * (len(block) - 1)
        wanted = {column: self.natural[column] for column in block}
        if sum(wanted.values()) > room:
            most = self.width // LABELS[1] if len(block) > len(self.labels) else room
            for column in self.labels:
                wanted[column] = max(widths[column], min(wanted[column], most))
        room = max(0, room - sum(widths.values()))
        waiting = sorted(block, key=lambda column: wanted[column] - widths[column])
        for number, column in enumerate(waiting):
            more = min(wanted[column] - widths[column], room // (len(waiting) - number))
            widths[column] += more
            room -= more
        return {column: self._needed(column, width) for column, width in widths.items()}

    def _needed(self, column: int, width: int) -> int:
        """Return what a column takes of a width once its texts are wrapped."""
        if self.natural[column] <= width:
            return self.natural[column]
        texts = [self._wrap(column, text, width) for text in self.columns[column]]
        texts.append(wrap(self.headings[column], width))
        return max(text_width(line) for lines in texts for line in lines)

    def _wrap(self, column: int, text: str, width: int) -> list[str]:
        return wrap(text, width, self._hang(column))

    def _hang(self, column: int) -> int:
        return 2 if column < self.table.labels else 0

    def _drawn(
        self, cells: dict[int, list[str]], widths: dict[int, int], style: str = ""
    ) -> Iterator[Line]:
        """Yield a row's lines: headings stand on the last of them, cells on the first."""
        height = max(map(len, cells.values()))
        if height == 1:  # most rows of a long table
            aligned = [
                _aligned(cells[column][0], width, left=column in self.table.left)
                for column, width in widths.items()
            ]
            yield Line((" " * self.margin + (" " * GAP).join(aligned)).rstrip(), style)
            return
        for number in range(height):
            drawn = []
            for column, width in widths.items():
                texts = cells[column]
                index = number - (height - len(texts) if style else 0)
                text = texts[index] if 0 <= index < len(texts) else ""
                drawn.append(_aligned(text, width, left=column in self.table.left))
            yield Line((" " * self.margin + (" " * GAP).join(drawn)).rstrip(), style)

    def _is_remark(self, row: list[str]) -> bool:
        """Tell whether a row is text over the whole width: a section's heading, or a remark."""
        return len(self.headings) > 1 and not any(row[1:])
