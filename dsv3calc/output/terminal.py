"""Tables for a person at a terminal, drawn by rich: colours, and words that wrap."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from dsv3calc.diagnostics import escape

if TYPE_CHECKING:
    from dsv3calc.output.view import Table, View

STYLES = {"warning": "yellow", "note": "cyan", "assumed": "dim"}


def lines_of(
    view: View, told: list[tuple[str, str]], *, color: bool, width: int | None, plain: bool
) -> list[str]:
    """Return the lines of a view, and of what is told below it.

    ``width`` None is the terminal's. ``plain`` draws lines of ASCII.
    """
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        width=width,
        highlight=False,
        emoji=False,
        markup=False,
    )
    for line in view.heading.splitlines():
        console.print(Text(escape(line), style="bold"))
    for table in view.tables:
        console.print(_rich(table, box.ASCII2 if plain else box.SIMPLE_HEAD))
    for word, text in told:
        console.print(Text.assemble((f"{word}: ", STYLES[word]), escape(text)))
    return [line.rstrip() for line in buffer.getvalue().splitlines()]


def _rich(table: Table, lines: box.Box) -> RichTable:
    drawn = RichTable(box=lines, pad_edge=False, header_style="bold")
    for number, heading in enumerate(table.headings):
        left = number in table.left
        drawn.add_column(
            escape(heading),
            justify="left" if left else "right",
            no_wrap=not left,
            overflow="fold",
        )
    for row in table.rows:
        section = len(row) == 1
        cells = [Text(escape(cell), style="bold" if section else "") for cell in row]
        drawn.add_row(*cells)
    return drawn
