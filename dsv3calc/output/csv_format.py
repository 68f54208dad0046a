"""CSV: one line per value in base units; a listing as its rows."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from dsv3calc.reading.escaping import csv_cell, inert

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:  # noqa: ARG001 - one interface
    """Return the rows of a listing, or every value of every column, unrounded."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    rows = answer.rows
    if answer.explanations:
        from dsv3calc.studies.explain.tree import rows_of

        rows = rows_of(answer.explanations)
    if rows or answer.headings:
        headings = answer.headings or list(rows[0])
        writer.writerow(map(csv_cell, headings))
        writer.writerows([csv_cell(row.get(name)) for name in headings] for row in rows)
        return inert(buffer.getvalue())
    named = [column.ledger.named() for column in answer.columns]
    names = list(dict.fromkeys(name for lines in named for name in lines))
    writer.writerow(["quantity", "unit", *(csv_cell(column.id) for column in answer.columns)])
    for name in names:
        unit = next(lines[name].unit for lines in named if name in lines)
        values = [lines[name].value if name in lines else "" for lines in named]
        writer.writerow([csv_cell(name), unit, *values])
    return inert(buffer.getvalue())


def render_many(answers: Iterable[Answer], options: OutputOptions) -> Iterator[str]:  # noqa: ARG001 - one interface
    """Yield the values of many answers in one table: one value on each line."""
    yield "line,command,column,quantity,unit,value\n"
    for answer in answers:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        for column in answer.columns:
            for name, line in column.ledger.named().items():
                place = [answer.query["line"], answer.command, csv_cell(column.id)]
                writer.writerow([*place, csv_cell(name), line.unit, line.value])
        yield inert(buffer.getvalue())
