"""Tables for a terminal, drawn by rich; plain text of natural width where nobody looks."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from dsv3calc.diagnostics import escape
from dsv3calc.output.view import Table, build

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer

UNSEEN_WIDTH = 10_000
"""Where the output is not a terminal, nothing wraps."""


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:
    """Return the tables of an answer, with its warnings, assumptions and notes below."""
    if answer.text:
        return answer.text
    buffer = io.StringIO()
    seen = options.file is None and sys.stdout.isatty()
    console = Console(
        file=buffer,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        width=None if seen else UNSEEN_WIDTH,
        highlight=False,
        emoji=False,
        markup=False,
    )
    view = build(answer, exact=options.exact)
    plain = options.file is None and not _takes_unicode()
    if view.heading:
        console.print(Text(escape(view.heading), style="bold"))
    for table in view.tables:
        console.print(_rich(table, box.ASCII2 if plain else box.SIMPLE_HEAD))
    for word, style, texts in (
        ("warning", "yellow", answer.warnings),
        ("note", "cyan", answer.notes),
        ("assumed", "dim", answer.assumptions),
    ):
        for text in texts:
            console.print(Text.assemble((f"{word}: ", style), escape(text)), soft_wrap=not seen)
    text = "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())
    return text.translate(_PLAIN) if plain else text


_PLAIN = str.maketrans({"²": "^2", "µ": "u", "×": "x", "±": "+-", "…": "..."})


def _takes_unicode() -> bool:
    """Tell whether standard output can show lines and Greek letters."""
    try:
        "─µ²".encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


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
