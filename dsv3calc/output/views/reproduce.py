"""Tables of ``reproduce``: one for each paper, and what does not follow."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import Table, View

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

LARGE = 10
"""Percent from which on an error has no decimals."""

HEADINGS = ["what", "published", "ours", "error", "verdict"]
FULL = ["id", "what", "published", "ours", "error", "kind", "convention", "verdict", "source",
        "query"]  # fmt: skip
EXPLAINED = ("explained", "failing", "not_covered")


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    titles = answer.query["titles"]
    narrow: list[Table] = []
    full: list[Table] = []
    for paper, group in groupby(answer.rows, key=lambda row: row["paper"]):
        rows = [_unrounded(row) if exact else row for row in group]
        narrow += paper_tables(f"{paper}: {titles[paper]}", rows)
        full += full_tables(f"{paper}: {titles[paper]}", rows)
    return View(summary(answer), narrow, full)


def _unrounded(row: dict[str, Any]) -> dict[str, Any]:
    """Show our value in base units, all of it, instead of as the paper writes."""
    if row["value"] is None:
        return row
    return {**row, "ours": format_quantity(row["value"], row["unit"] or "1", exact=True)}


def summary(answer: Answer) -> list[str]:
    """Say how many derived figures have which verdict, and how many rows are of which kind."""
    values = answer.columns[0].ledger.values

    def count(name: str) -> str:
        return f"{values[f'reproduce.{name}']:,}"

    return [
        (
            f"{count('derived_figures')} figures derived from a model, a layout or a device: "
            f"{count('derived.exact')} exact"
        ),
        (
            f"or to the printed digit, {count('derived.within')} within a stated share, "
            f"{count('derived.explained')} do not follow, {count('derived.failing')} fail."
        ),
        (
            f"{count('closed_form_rows')} rows: {count('derived_rows')} derived, "
            f"{count('identity_rows')} identities between printed numbers, "
            f"{count('form_rows')} forms put"
        ),
        f"into numbers, {count('fitted_rows')} fitted; {count('failing')} fail.",
        (
            f"Besides {count('measured')} measured, {count('settings')} settings, "
            f"{count('not_covered')} not covered."
        ),
    ]


def error_text(row: dict[str, Any]) -> str:
    """Write a relative error as a percentage of two digits."""
    error = row["relative_error"]
    if error is None:
        return ""
    percent = 100 * error
    if error == 0:
        return "0"
    return f"{percent:+.0f} %" if abs(percent) >= LARGE else f"{percent:+.2g} %"


def paper_tables(title: str, rows: list[dict[str, Any]]) -> list[Table]:
    """Return the tables of one paper for people: the figures, and why some do not follow."""
    lines: list[list[str]] = [[title]]
    for row in rows:
        figures = [row["published"], row["ours"] or "-", error_text(row), row["verdict"]]
        lines.append([row["what"], *figures])
        words = (row["kind"], row["convention"], _short(row["source"], title))
        told = ": ".join(filter(None, (row["id"], "; ".join(filter(None, words)))))
        if told:
            lines.append([f"    {told}", "", "", "", ""])
    tables = [Table("", HEADINGS, lines, left=(1, 2, 4), words=True)]
    reasons = _reasons([row for row in rows if row["why"] and row["group"] in EXPLAINED])
    if reasons:
        tables.append(Table("", ["figure", "why"], reasons, left=(1,), words=True))
    return tables


def _short(source: str | None, title: str) -> str:
    """Leave out of a source what the title says."""
    head, _, rest = (source or "").partition(", ")
    return rest if rest and head in title else source or ""


def _reasons(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return the rows of the table of reasons; figures that share one stand together."""
    return [
        [", ".join(row["id"] or row["what"] for row in group), why]
        for why, group in groupby(rows, key=lambda row: row["why"])
    ]


def full_tables(title: str, rows: list[dict[str, Any]]) -> list[Table]:
    """Return the table of one paper with everything, for documents."""
    cells = [[title]]
    for row in rows:
        asked = f"{row['quantity']} of {row['query']}" if row["query"] else ""
        words = row["what"] + (f": {row['why']}" if row["why"] else "")
        cells.append(
            [
                row["id"],
                words,
                row["published"],
                row["ours"] or "",
                error_text(row),
                row["kind"] or "",
                row["convention"] or "",
                row["verdict"],
                row["source"] or "",
                asked,
            ]
        )
    return [Table("", FULL, cells, left=tuple(range(len(FULL))))]
