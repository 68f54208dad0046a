"""Elasticities with bars: which input moves a line most."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import SHOWN_UNITS, Table, View

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

LONGEST_BAR = 20


def build(answer: Answer, *, exact: bool) -> View:
    """Show each input with its elasticity and a bar of that length."""
    query = answer.query
    value = format_quantity(query["value"], query["unit"], exact=exact)
    largest = max((abs(row["elasticity"]) for row in answer.rows), default=1)
    rows = [
        [
            row["input"],
            format_quantity(row["value"], SHOWN_UNITS.get(row["unit"], row["unit"]), exact=exact),
            repr(row["elasticity"]) if exact else f"{row['elasticity']:+.3f}",
            bar(row["elasticity"], largest),
            row["method"],
            row["kind"],
        ]
        for row in answer.rows
    ]
    headings = ["input", "value", "elasticity", "", "method", "kind"]
    heading = f"sensitivities of {query['line']} = {value}"
    return View(heading, [Table("", headings, rows, (3, 4, 5))])


def bar(value: float, largest: float) -> str:
    """Return a bar as long as a value is large.

    >>> bar(0.5, 1.0), bar(-1.0, 1.0) == "-" * 20
    ('++++++++++', True)
    """
    return ("+" if value > 0 else "-") * max(1, round(LONGEST_BAR * abs(value) / largest))
