"""Tables as plain text of natural width: what a pipe or a file gets. Nothing heavy is imported."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.diagnostics import escape, text_width

if TYPE_CHECKING:
    from dsv3calc.output.view import Table, View

GAP = "   "


def lines_of(view: View, told: list[tuple[str, str]], rule: str) -> list[str]:
    """Return the lines of a view, and of what is told below it; ``rule`` draws the heads' line."""
    lines = [escape(line) for line in view.heading.splitlines()]
    for table in view.tables:
        lines += ["", *_table(table, rule), ""]
    lines += [f"{word}: {escape(text)}" for word, text in told]
    return [line.rstrip() for line in lines]


def _table(table: Table, rule: str) -> list[str]:
    rows = [[escape(cell) for cell in row] for row in (table.headings, *table.rows)]
    count = len(table.headings)
    rows = [row + [""] * (count - len(row)) for row in rows]
    widths = [max(text_width(row[column]) for row in rows) for column in range(count)]
    drawn = []
    for row in rows:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            room = " " * (width - text_width(cell))
            cells.append(cell + room if column in table.left else room + cell)
        drawn.append(" " + GAP.join(cells))
    width = sum(widths) + len(GAP) * (count - 1)
    return [drawn[0], " " + rule * width, *drawn[1:]]
