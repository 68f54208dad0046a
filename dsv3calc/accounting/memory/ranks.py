"""The memory of pipeline ranks by class, and the fullest of them against what a device has."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.memory.sharding import CLASSES
from dsv3calc.formulas import memory
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.tags import RANK, Tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.schema.hardware import Hardware

PARTS = (*CLASSES, "activations", "buffers", "total")
"""The classes of memory, and their sum."""

TOTALS = ("allocated", "reserved", "device")
"""What the allocator gave out to tensors, what it holds, and what a process has of a device."""


class Rank:
    """The memory of one pipeline rank: its number, its stages, its lines of :data:`PARTS`.

    Its total is what it has of a device; ``held`` has what is ``allocated`` and ``reserved`` of it,
    ``layer`` what its largest layer takes while it runs, at the peak or not.
    """

    __slots__ = ("held", "layer", "lines", "number", "stages")

    def __init__(
        self,
        number: Line,
        stages: list[Line],
        lines: dict[str, Line],
        held: dict[str, Line],
        layer: dict[str, Line],
    ) -> None:
        self.number = number
        self.stages = stages
        self.lines = lines
        self.held = held
        self.layer = layer


def rank_line(name: str, number: Any) -> Line:
    """Return a pipeline rank as a line."""
    tags = Tags(quantity=RANK, rank=number)
    return given(f"{name}.rank", number, "1", "pipeline rank from 0", tags)


class WorstLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``memory.worst.*`` of the fullest rank: number [1], :data:`PARTS`, :data:`TOTALS` [B].

    With a device whose usable bytes are known also ``memory.{usable,free}`` [B] and
    ``memory.fits`` [1].
    """

    rank: Line
    parts: dict[str, Line]
    totals: dict[str, Line]
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

    def at_worst(what: str, lines: list[Line]) -> Line:
        return combined(f"memory.worst.{what}", "at_largest", [*totals, *lines], unit="B")

    parts = {what: at_worst(what, [rank.lines[what] for rank in ranks]) for what in PARTS[:-1]}
    worst = parts["total"] = combined("memory.worst.total", "maximum", totals)
    held = {what: at_worst(what, [rank.held[what] for rank in ranks]) for what in TOTALS[:-1]}
    held["device"] = total("memory.worst.device", [worst])
    usable = free = fits = None
    if hardware is not None and hardware.memory.usable is not None:
        reported = field(("hardware.memory", hardware.memory), "usable", "B")
        usable = combined("memory.usable", "sum", [reported])
        free = combined("memory.free", "difference", [usable, worst])
        fits = computed("memory.fits", memory.fits, total_bytes=worst, usable=usable)
    return WorstLines(rank=number, parts=parts, totals=held, usable=usable, free=free, fits=fits)
