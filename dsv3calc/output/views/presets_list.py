"""Table of ``presets list models`` and ``presets list hardware``: names with their figures."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from dsv3calc.numbers.decimals import BINARY, DECIMAL
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import SHOWN_UNITS, Table, View
from dsv3calc.studies.presets.figures import UNITS

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

NUMBERS = {
    "parameters": ("parameters", ""),
    "active_parameters": ("active", ""),
    "kv_growing_bytes_per_token": ("cache of a token", ""),
    "constant_bytes_per_sequence": ("and of a sequence, constant", ""),
    "memory": ("memory GiB", "GiB"),
    "bandwidth": ("TB/s", "TB/s"),
    "bf16": ("BF16", "PFLOP/s"),
    "fp8": ("FP8", "PFLOP/s"),
    "fp4": ("FP4", "PFLOP/s"),
    "scale_up": ("scale up", "GB/s"),
    "dollars_per_hour": ("$/h", ""),
    "domain_size": ("domain", ""),
    "scale_out": ("scale out", "GB/s"),
}
"""Figure -> its heading, and the unit of all its numbers, where they have one; in this order."""

SIZES = {"GiB": BINARY["Gi"], "TB/s": DECIMAL["T"], "PFLOP/s": DECIMAL["P"], "GB/s": DECIMAL["G"]}
"""Unit of a column -> what it is in base units."""

LAST = 2
"""Figures of devices that a narrow terminal has no room for."""

WORDS = {
    "model": "KV cache in BF16; what windows and states keep does not grow with the tokens",
    "hardware": "dense peaks in PFLOP/s; links in GB/s per direction; devices of a domain",
}
"""Kind of preset -> what the headings leave open."""


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table."""
    kind = answer.rows[0]["kind"]
    figures = [name for name in NUMBERS if name in UNITS[kind]]

    def cell(name: str, value: float | None) -> str:
        if value is None:
            return "-"
        unit = NUMBERS[name][1]
        if exact or not unit:
            own = UNITS[kind][name]
            shown = format_quantity(value, SHOWN_UNITS.get(own, own), exact=exact)
            return shown.removesuffix(" USD/h")
        return format_quantity(Fraction(value) / SIZES[unit], unit).removesuffix(f" {unit}")

    rows = [[row["name"], *(cell(name, row[name]) for name in figures)] for row in answer.rows]
    headings = ["name", *(NUMBERS[name][0] for name in figures)]
    optional = LAST if kind == "hardware" else 0
    return View([WORDS[kind]], [Table("", headings, rows, optional=optional)])
