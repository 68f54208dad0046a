"""A closed form as text: one equation below the other, then what its symbols stand for."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import SHOWN_UNITS, Table, View

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer


def build(answer: Answer, *, exact: bool) -> View:
    """Show the equations."""
    last = answer.rows[-1]
    free = ", ".join(answer.query["free"])
    now = format_quantity(last["value"], SHOWN_UNITS.get(last["unit"], last["unit"]), exact=exact)
    heading = f"{last['name']} in {free}; {now} now"
    rows = [[f"{row['name']} =", row["equation"], _unit(row["unit"])] for row in answer.rows]
    return View(heading, [Table("", ["line", "closed form", "unit"], rows, (1, 2))])


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit
