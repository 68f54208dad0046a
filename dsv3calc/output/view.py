"""What the formats for people show of an answer: tables of text, built once for all of them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.queries.table import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer


class Cell(str):
    """The text of a cell that shows a number, with the lines of the ledger that it comes from.

    ``line`` is the line whose value is shown. Where the view computes what is shown, ``line`` is
    None and ``sources`` are the lines that it is derived from.
    """

    __slots__ = ("line", "sources")

    line: Line | None
    sources: tuple[Line, ...]

    def __new__(cls, text: str, line: Line | None = None, sources: Sequence[Line] = ()) -> Self:
        """Make the cell of a line, or one that is derived from ``sources``."""
        cell = super().__new__(cls, text)
        cell.line = line
        cell.sources = (line,) if line is not None else tuple(sources)
        return cell


class Table:
    """A table: its headings and its rows, the first column left-aligned, the others right.

    A row of one cell in a table of several columns opens a section; a row whose other cells are
    empty is a remark over all columns. ``left`` names further columns that hold words: they wrap at
    spaces where a terminal is narrow, as the first does. ``labels`` is the number of columns, from
    the first, that say what a row is about. A table of ``words`` wraps to a page where there is no
    terminal. Of the last columns ``optional`` are named below instead where a terminal has no room.
    """

    __slots__ = ("headings", "labels", "left", "optional", "rows", "title", "words")

    def __init__(
        self,
        title: str,
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        left: Sequence[int] = (),
        labels: int = 1,
        *,
        words: bool = False,
        optional: int = 0,
    ) -> None:
        self.title = title
        self.headings = list(headings)
        self.rows = [list(row) for row in rows]
        self.left = {0, *left}
        self.labels = labels
        self.words = words
        self.optional = optional

    def is_section(self, row: Sequence[str]) -> bool:
        """Tell whether a row is the heading of a section."""
        return len(row) == 1 < len(self.headings)


class View:
    """The tables of an answer, with a heading that says what was counted: its lines.

    ``full`` are the tables for documents, which have no width, where those differ.
    """

    __slots__ = ("full", "heading", "tables")

    def __init__(
        self,
        heading: str | Sequence[str],
        tables: Sequence[Table],
        full: Sequence[Table] | None = None,
    ) -> None:
        self.heading = [heading] if isinstance(heading, str) else list(heading)
        self.tables = list(tables)
        self.full = self.tables if full is None else list(full)


SHOWN_UNITS = {
    "elements": "1",
    "tokens/s": "1",
    "FLOP/B": "1",
    "FLOP/token": "FLOP",
    "B/token": "B",
}
"""Units that a table's labels already say; JSON and CSV keep them."""


def show(line: Line | None, *, exact: bool) -> str:
    """Return a line's value with its unit for a person; a dash where there is none."""
    if line is None:
        return "-"
    unit = SHOWN_UNITS.get(line.unit, line.unit)
    return Cell(format_quantity(line.value, unit, exact=exact), line)


def show_number(line: Line | None, *, exact: bool) -> str:
    """Return a line's value without its unit, where the table's labels say it."""
    if line is None:
        return "-"
    return Cell(format_quantity(line.value, "1", exact=exact), line)


def show_count(line: Line, unit: str = "") -> Cell:
    """Return a line's value as a whole number, in full, with the unit that is given."""
    return Cell(f"{line.value:,} {unit}".rstrip(), line)


def show_share(line: Line, total: Line) -> Cell:
    """Return the share that a line has in another one, in percent."""
    return Cell(f"{100 * line.value / (total.value or 1):.2f} %", None, (line, total))


def shown_lines(view: View) -> list[Line]:
    """Return the lines whose values the tables show."""
    cells = (cell for table in view.full for row in table.rows for cell in row)
    return [cell.line for cell in cells if isinstance(cell, Cell) and cell.line is not None]


def build(answer: Answer, *, exact: bool) -> View:
    """Build the view of an answer."""
    module = VIEWS.get(answer.view)
    if module is None and answer.columns:
        raise LookupError(f"the table of commands has no view {answer.view!r}")
    if module is None:
        return rows_view(answer)
    view: View = import_module(f"dsv3calc.output.views.{module}").build(answer, exact=exact)
    return view


def rows_view(answer: Answer) -> View:
    """Show the rows of a listing as they are."""
    headings = list(answer.rows[0]) if answer.rows else []
    rows = [[_text(row.get(name)) for name in headings] for row in answer.rows]
    words = [
        i
        for i, name in enumerate(headings)
        if not all(type(row.get(name)) in (int, float, type(None)) for row in answer.rows)
    ]
    if answer.command == "presets diff":
        headings = [answer.query.get(name, name) for name in headings]
    labels = 1 + (headings.index("name") if "name" in headings else 0)
    return View([], [Table("", headings, rows, words, labels)] if rows else [])


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if 1e-4 <= abs(value) < 1e6 else f"{value:.4g}"  # noqa: PLR2004
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
