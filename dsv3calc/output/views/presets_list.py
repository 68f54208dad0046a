"""Table of ``presets list models`` and ``presets list hardware``: names with their figures."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import SHOWN_UNITS, Table, View
from dsv3calc.studies.presets.figures import UNITS

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

HEADINGS = {
    "active_parameters": "active",
    "kv_bytes_per_token": "KV cache per token, BF16",
    "scale_up": "scale-up",
    "domain_size": "domain",
    "scale_out": "scale-out",
    "dollars_per_hour": "$/h",
}
"""Figure -> its heading, where that is not its name."""


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table."""
    units = UNITS[answer.rows[0]["kind"]]

    def cell(value: float | None, unit: str) -> str:
        if value is None:
            return "-"
        return format_quantity(value, SHOWN_UNITS.get(unit, unit), exact=exact)

    rows = [
        [row["name"], *(cell(row[name], unit) for name, unit in units.items())]
        for row in answer.rows
    ]
    headings = ["name", *(HEADINGS.get(name, name) for name in units)]
    return View([], [Table("", headings, rows)])
