"""A timeline drawn with characters, for a terminal: a letter is what a lane mostly does there."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.pictures.characters import LEAST_COLUMNS, ticks_below

if TYPE_CHECKING:
    from dsv3calc.output.pictures.timeline import Lane, Timeline

IDLE = "·"


def drawn(timeline: Timeline, width: int) -> list[str]:
    """Return a timeline as lines of text, no wider than ``width`` where that is possible."""
    margin = max((len(lane.label) for lane in timeline.lanes), default=0) + 1
    beside = max((len(lane.remark) for lane in timeline.lanes), default=0) + 2
    columns = max(LEAST_COLUMNS, width - margin - beside - 2)
    lines = [timeline.title]
    for lane in timeline.lanes:
        row = _row(lane, timeline.end, columns)
        lines.append(f"{lane.label:>{margin}}│{row}  {lane.remark}")
    lines.append(f"{' ' * margin}└{'─' * columns}")
    lines.append(" " * (margin + 1) + ticks_below(timeline.scale(), columns))
    lines.append(f"{' ' * (margin + 1)}{timeline.axis.title} [{timeline.axis.unit}]")
    lines += [f"  {kind.letter} {kind.label}" for kind in timeline.used()]
    return [*lines, f"  {IDLE} idle", *timeline.remarks]


def _row(lane: Lane, end: float, columns: int) -> str:
    """Return the letter of what takes most of each column's time."""
    taken: list[dict[str, float]] = [{} for _ in range(columns)]
    each = end / columns or 1.0
    for bar in lane.bars:
        for column in range(int(bar.start / each), min(int(bar.end / each), columns - 1) + 1):
            part = min(bar.end, (column + 1) * each) - max(bar.start, column * each)
            letter = bar.kind.letter
            taken[column][letter] = taken[column].get(letter, 0.0) + part
    row = ""
    for found in taken:
        found[IDLE] = each - sum(found.values())
        row += max(found, key=found.__getitem__)
    return row
