"""Tables of ``serve``: the time per output token, rates, sequences that fit."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View, show, show_count

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

_TPOT = (
    ("bound", "bound: at peaks, all at once"),
    ("floor", "floor: kernels at measured rates"),
    ("estimate", "estimate"),
    ("serial", "  serial: kernels, then exchanges"),
    ("overlapped", "  overlapped: two half batches take turns"),
)
_RATES = (
    ("serve.tokens_per_second_per_gpu.decode", "tokens/s of a GPU"),
    ("serve.tokens_per_second_per_user", "tokens/s of a sequence"),
    ("serve.tokens_per_second", "tokens/s of the instance"),
)
_COUNTS = (
    ("serve.concurrency", "sequences of the instance"),
    ("serve.max_batch", "sequences of a replica that fit"),
)


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    column = answer.columns[0]
    named = column.ledger.named()
    query = answer.query
    heading = [
        f"{column.title}: serving on {query['hardware']}, {answer.layout}",
        f"batch {query['batch']:,}, {query['context']:,} cached",
    ]
    by = "estimate" if "serve.tpot.estimate" in named else "floor"
    tables = [_tpot(named, query.get("setup"), exact=exact), _rates(named, by, exact=exact)]
    return View(heading, tables)


def _tpot(named: dict[str, Line], setup: str | None, *, exact: bool) -> Table:
    rows = []
    for what, words in _TPOT:
        line = named.get(f"serve.tpot.{what}")
        if line is None:
            continue
        label = f"{words}, {setup}" if what == "estimate" else words
        rows.append([label, show(line, exact=exact)])
        if what == "estimate":
            for end in ("p10", "p90"):
                if f"serve.tpot.{end}" in named:
                    band = show(named[f"serve.tpot.{end}"], exact=exact)
                    rows.append([f"  {end} of measurements", band])
    return Table("", ["time per output token", ""], rows)


def _rates(named: dict[str, Line], by: str, *, exact: bool) -> Table:
    rows = [[words, show(named[name], exact=exact)] for name, words in _RATES if name in named]
    rows += [[words, show_count(named[name])] for name, words in _COUNTS if name in named]
    return Table("", [f"by the {by}", ""], rows)
