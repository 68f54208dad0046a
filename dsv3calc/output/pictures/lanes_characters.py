"""Lanes drawn with characters, for a terminal: a letter is what a lane mostly has there."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.pictures.characters import LEAST_COLUMNS, ticks_below

if TYPE_CHECKING:
    from dsv3calc.output.pictures.lanes import Lane, Lanes

REST, MARK = "·", "¦"


def drawn(lanes: Lanes, width: int) -> list[str]:
    """Return lanes as lines of text, no wider than ``width`` where that is possible."""
    margin = max((len(lane.label) for lane in lanes.lanes), default=0) + 1
    beside = max((len(lane.remark) for lane in lanes.lanes), default=0) + 2
    columns = max(LEAST_COLUMNS, width - margin - beside - 2)
    scale = lanes.scale()
    marks = {min(int(scale.place(mark.value) * columns), columns - 1) for mark in lanes.marks}
    rest = REST if lanes.rest else " "
    lines = [lanes.title]
    for lane in lanes.lanes:
        row = [*_row(lane, lanes.end, columns, rest)]
        for place in marks:
            row[place] = MARK
        lines.append(f"{lane.label:>{margin}}│{''.join(row)}  {lane.remark}".rstrip())
    lines.append(f"{' ' * margin}└{'─' * columns}")
    lines.append(" " * (margin + 1) + ticks_below(scale, columns))
    lines.append(f"{' ' * (margin + 1)}{lanes.axis.words}")
    lines += [f"  {kind.letter} {kind.label}" for kind in lanes.used()]
    if lanes.rest:
        lines.append(f"  {REST} {lanes.rest}")
    for mark in lanes.marks:
        lines.append(f"  {MARK} {mark.label}: {format_quantity(mark.value, lanes.axis.unit)}")
    return [*lines, *lanes.remarks]


def _row(lane: Lane, end: float, columns: int, rest: str) -> str:
    """Return the letter of what takes most of each column."""
    taken: list[dict[str, float]] = [{} for _ in range(columns)]
    each = end / columns or 1.0
    for bar in lane.bars:
        for column in range(int(bar.start / each), min(int(bar.end / each), columns - 1) + 1):
            part = min(bar.end, (column + 1) * each) - max(bar.start, column * each)
            letter = bar.kind.letter
            taken[column][letter] = taken[column].get(letter, 0.0) + part
    row = ""
    for found in taken:
        found[rest] = each - sum(found.values())
        row += max(found, key=found.__getitem__)
    return row
