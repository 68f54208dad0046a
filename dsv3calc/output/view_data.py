"""What a person sees of an answer as plain data: for a page that draws its tables itself.

A cell that shows a number names its lines, so that the page can ask how they are derived.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.errors import UsageError
from dsv3calc.output.explanation import value_text
from dsv3calc.output.notes import told_of
from dsv3calc.output.pictures.of_answer import as_svg, picture_of
from dsv3calc.output.view import Cell, build
from dsv3calc.queries.table import PICTURES
from dsv3calc.reading.escaping import escape

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.output.view import Table
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.explain.explanation import Explained


def shown(answer: Answer, options: OutputOptions) -> dict[str, Any]:
    """Return the heading, tables, picture and notes of an answer."""
    view = build(answer, exact=options.exact)
    columns = {
        id(line): column.id for column in answer.columns for line in column.ledger.named().values()
    }
    told = told_of(answer, options)
    return {
        "heading": [escape(text) for text in view.heading],
        "tables": [_table(table, columns) for table in view.full],
        "picture": _picture(answer),
        "told": [(word, escape(text)) for word, text in told.shown],
        "more": [(word, escape(text)) for word, text in told.hidden],
    }


def _picture(answer: Answer) -> dict[str, str] | None:
    """Return the picture with its title; None where the command or this answer has none."""
    if answer.command not in PICTURES:
        return None
    try:
        chart = picture_of(answer)
    except UsageError:  # serve has the picture of several batches
        return None
    return {"title": escape(chart.title), "svg": as_svg(chart)}


def _table(table: Table, columns: dict[int, str]) -> dict[str, Any]:
    return {
        "title": escape(table.title),
        "headings": [escape(text) for text in table.headings],
        "left": sorted(table.left),
        "rows": [[_cell(cell, columns) for cell in row] for row in table.rows],
    }


def _cell(cell: str, columns: dict[int, str]) -> Any:
    """Return the text of a cell, with its lines and its value where it shows a number."""
    text = escape(str(cell))
    if not isinstance(cell, Cell) or not cell.sources:
        return text
    lines = [(columns.get(id(line), ""), line.name) for line in cell.sources]
    return {"text": text, "lines": lines} | ({"value": cell.line.value} if cell.line else {})


def explained(line: Explained, depth: int) -> dict[str, Any]:
    """Return how a line is derived, down to a depth; ``below`` counts inputs that are left out."""
    found: dict[str, Any] = {"name": escape(line.name), "value": escape(value_text(line))}
    for field in ("convention", "summary", "words", "symbols", "numbers", "source"):
        if text := getattr(line, field):
            found[field] = escape(text)
    if line.origin is not None:
        origin = msgspec.structs.asdict(line.origin)
        found["origin"] = {key: escape(str(value)) for key, value in origin.items() if value}
    if depth > 0:
        found["inputs"] = [
            {
                "symbol": escape(each.symbol),
                "meaning": escape(each.meaning),
                "line": explained(each.line, depth - 1),
            }
            for each in line.inputs
        ]
    else:
        found["below"] = len(line.inputs)
    return found
