"""Table of ``formula eval``: the arguments as they were read, and the result."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.formulas.registry.glossary import SYMBOLS
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import Cell, Table, View

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table."""
    column = answer.columns[0]
    (line,) = column.ledger.lines
    rows = [
        [name, _shown(part, exact=exact), SYMBOLS[name].description]
        for name, part, _ in line.arguments
    ]
    rows.append([column.title, _shown(line, exact=exact), ""])
    told = line.formula.function.__doc__ or "" if line.formula else ""
    table = Table("", ["argument", "value", "what"], rows, left=(2,), words=True)
    return View(told.partition("\n")[0], [table])


def _shown(line: Line, *, exact: bool) -> Cell:
    return Cell(format_quantity(line.value, line.unit, exact=exact), line)
