"""The values that solve a bound, with the line at each."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import SHOWN_UNITS, Table, View

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer


def build(answer: Answer, *, exact: bool) -> View:
    """Show each value."""
    unknown, line, _ = answer.rows[0]
    rows = [
        [
            f"{row[unknown]:,}",
            format_quantity(row[line], SHOWN_UNITS.get(row["unit"], row["unit"]), exact=exact),
        ]
        for row in answer.rows
    ]
    return View(answer.query["condition"], [Table("", [unknown, line], rows)])
