"""The table of a curve of ``serve``: a row for each batch, up to what memory holds and beyond."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View, show, show_count

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

_COLUMNS = (
    ("serve.tokens_per_second_per_user", "tokens/s of a sequence"),
    ("serve.tokens_per_second_per_gpu.decode", "tokens/s of a GPU"),
    ("serve.dollars_per_million.output", "price per million output tokens"),
    ("serve.held", "memory of a GPU"),
)


def headline(named: dict[str, Line]) -> str:
    """Return which time per output token the rates follow from."""
    return "estimate" if "serve.tpot.estimate" in named else "floor"


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table."""
    query = answer.query
    by_column = [column.ledger.named() for column in answer.columns]
    first = by_column[0]
    by = headline(first)
    columns = [each for each in _COLUMNS if each[0] in first]
    rows = []
    for named in by_column:
        row = [show_count(named["serve.batch"]), show(named[f"serve.tpot.{by}"], exact=exact)]
        row += [show(named[name], exact=exact) for name, _ in columns]
        fits = named["serve.fits"]
        rows.append([*row, "yes" if fits.value else "no"])
    headings = ["batch", f"time per output token, {by}", *(words for _, words in columns), "fits"]
    heading = [
        f"{query['model']}: serving on {query['hardware']}, {answer.layout}",
        f"{query['context']:,} cached, by batch of a replica",
    ]
    return View(heading, [Table("", headings, rows)])
