"""The values that solve a bound, with the line at each."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import SHOWN_UNITS, Table, View

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer


MOST_ROWS = 12
"""Values that are all shown to a reader of a terminal."""
ENDS = 4
"""Values shown from each end where there are more: those next to the bound are there."""


def build(answer: Answer, *, exact: bool) -> View:
    """Show each value; of many the first and the last."""
    unknown, line, _ = answer.rows[0]
    rows = [
        [
            f"{row[unknown]:,}",
            format_quantity(row[line], SHOWN_UNITS.get(row["unit"], row["unit"]), exact=exact),
        ]
        for row in answer.rows
    ]
    headings, shown = [unknown, line], rows
    if len(rows) > MOST_ROWS:
        between = f"… {len(rows) - 2 * ENDS:,} more between them: --format csv, or --json"
        shown = [*rows[:ENDS], [between, ""], *rows[-ENDS:]]
    table = Table("", headings, shown)
    return View(answer.query["condition"], [table], [Table("", headings, rows)])
