"""A closed form as text: one equation below the other, wrapped, then what its symbols stand for."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.explanation import told_below, width_of
from dsv3calc.output.layout import wrap
from dsv3calc.output.view import SHOWN_UNITS
from dsv3calc.reading.escaping import escape

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:
    """Return the equations of an answer, the last of them the line that was asked for."""
    width = width_of(options)
    last = answer.rows[-1]
    unit = SHOWN_UNITS.get(last["unit"], last["unit"])
    now = format_quantity(last["value"], unit, exact=options.exact)
    free = ", ".join(f"{name} {value:,}" for name, value in answer.query["free"].items())
    heading = escape(f"{last['name']} [{last['unit']}]: {now} at {free}")
    lines = [f"\x1b[1m{heading}\x1b[0m" if color else heading, ""]
    for row in answer.rows:
        lines += wrap(escape(f"{row['name']} = {row['equation']}"), width, hang=4)
    lines += ["", *told_below(answer, options)]
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"
