"""The memory of pipeline ranks by class, and the fullest of them against what a device has."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.memory.sharding import CLASSES
from dsv3calc.formulas import memory
from dsv3calc.ledger.line import Line, combined, computed, field, given
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.tags import RANK, Tags

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
    tags = Tags(quantity=RANK, rank=number)
    return given(f"{name}.rank", number, "1", "pipeline rank from 0", tags)


class WorstLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``memory.worst.*`` of the fullest rank: its number [1], its :data:`PARTS` [B].

    With a device whose usable bytes are known also ``memory.{usable,free}`` [B] and
    ``memory.fits`` [1].
    """

    rank: Line
    parts: dict[str, Line]
    usable: Line | None
    free: Line | None
    fits: Line | None

    @property
    def total(self) -> Line:
        """The bytes of the fullest rank."""
        return self.parts["total"]


def worst_lines(ranks: Sequence[Rank], hardware: Hardware | None) -> WorstLines:
    """Pick the fullest of some ranks, and hold it against what a device can allocate."""
    totals = [rank.lines["total"] for rank in ranks]
    number = combined(
        "memory.worst.rank",
        "at_largest",
        [*totals, *(rank.number for rank in ranks)],
        unit="1",
        convention="the first of the fullest pipeline ranks",
    )
    parts = {
        what: combined(
            f"memory.worst.{what}",
            "at_largest",
            [*totals, *(rank.lines[what] for rank in ranks)],
            unit="B",
        )
        for what in PARTS[:-1]
    }
    worst = parts["total"] = combined("memory.worst.total", "maximum", totals)
    usable = free = fits = None
    if hardware is not None and hardware.memory.usable is not None:
        held = field(("hardware.memory", hardware.memory), "usable", "B")
        usable = combined("memory.usable", "sum", [held])
        free = combined("memory.free", "difference", [usable, worst])
        fits = computed("memory.fits", memory.fits, total_bytes=worst, usable=usable)
    return WorstLines(rank=number, parts=parts, usable=usable, free=free, fits=fits)
