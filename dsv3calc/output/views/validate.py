"""Tables of ``validate``: scores by area and kind, what was left out, single times."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.output.view import Table, View
from dsv3calc.studies.measurements.areas import KINDS

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

MICROSECONDS = 1e6
SCORES = (
    "", "rows", "times", "median error", "90 % interval", "bias", "within 10 %", "20 %", "50 %",
    "roofline",
)  # fmt: skip


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    scores = answer.query["scores"]
    tables = [Table("", SCORES, [score_cells(name, found) for name, found in scores.items()])]
    if answer.rows:
        tables.append(_times(answer, exact=exact))
    left = answer.query["left_out"]
    for title, unusable in (("not predicted", False), ("unusable", True)):
        cells = [
            [each["area"], each["why"], f"{each['rows']:,}"]
            for each in left
            if each["unusable"] is unusable
        ]
        if cells:
            tables.append(Table(title, ["area", "why", "rows"], cells, left=[1], labels=2))
    heading = ["predicted over measured times, less 1"]
    if any(found["seen"] for found in scores.values()):
        heading.append("* a fit saw these times: there are too few groups to leave one out")
    return View(heading, tables)


def score_cells(name: str, score: dict[str, Any]) -> list[str]:
    """Return the cells of one score."""
    area, _, kind = name.partition(".")
    label = f"  {KINDS[kind]}" if kind else area
    return [
        f"{label} *" if score["seen"] else label,
        f"{score['rows']:,}",
        f"{score['points']:,}",
        f"{score['median']:.1%}",
        f"{100 * score['low']:.1f}..{100 * score['high']:.1f}",
        f"{score['bias']:+.1%}",
        f"{score['within_10']:.0%}",
        f"{score['within_20']:.0%}",
        f"{score['within_50']:.0%}",
        f"{score['roofline']:.0%}",
    ]


def _times(answer: Answer, *, exact: bool) -> Table:
    digits = ".17g" if exact else ".4g"
    cells = [
        [
            row["row"],
            row["size"],
            f"{row['predicted'] * MICROSECONDS:{digits}}",
            f"{row['measured'] * MICROSECONDS:{digits}}",
            f"{row['error']:+.1%}",
        ]
        for row in answer.rows
    ]
    headings = ["row", "size", "predicted, us", "measured, us", "error"]
    return Table("times", headings, cells, left=[1], labels=2)
