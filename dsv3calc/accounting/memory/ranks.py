"""The memory of pipeline ranks by class, and the fullest of them against what a device has."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.memory.sharding import CLASSES
from dsv3calc.formulas import memory
from dsv3calc.ledger.line import Line, combined, computed, field, given

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.schema.hardware import Hardware

PARTS = (*CLASSES, "activations", "buffers", "total")
"""The classes of memory, and their sum."""


class Rank:
    """The memory of one pipeline rank: its number, its stages, its lines of :data:`PARTS`."""

    __slots__ = ("lines", "number", "stages")

    def __init__(self, number: Line, stages: list[Line], lines: dict[str, Line]) -> None:
        self.number = number
        self.stages = stages
        self.lines = lines


def rank_line(name: str, number: Any) -> Line:
    """Return a pipeline rank as a line."""
    return given(f"{name}.rank", number, "1", "pipeline rank from 0")


def worst_lines(ranks: Sequence[Rank], hardware: Hardware | None) -> list[Line]:
    """Pick the fullest of some ranks, and hold it against what a device can allocate.

    Returns
    -------
    Lines ``memory.worst.{rank,weights,...,total}`` and, with a device whose usable bytes are
    known, ``memory.usable``, ``memory.free`` [B] and ``memory.fits`` [1].
    """
    totals = [rank.lines["total"] for rank in ranks]
    found = [
        combined(
            "memory.worst.rank",
            "at_largest",
            [*totals, *(rank.number for rank in ranks)],
            unit="1",
            convention="the first of the fullest pipeline ranks",
        )
    ]
    found += [
        combined(
            f"memory.worst.{what}",
            "at_largest",
            [*totals, *(rank.lines[what] for rank in ranks)],
            unit="B",
        )
        for what in PARTS[:-1]
    ]
    worst = combined("memory.worst.total", "maximum", totals)
    found.append(worst)
    if hardware is None or hardware.memory.usable is None:
        return found
    held = field(("hardware.memory", hardware.memory), "usable", "B")
    usable = combined("memory.usable", "sum", [held])
    return [
        *found,
        usable,
        combined("memory.free", "difference", [usable, worst]),
        computed("memory.fits", memory.fits, total_bytes=worst, usable=usable),
    ]
