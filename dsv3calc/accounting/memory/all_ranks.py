"""The memory of every pipeline rank of a layout, one after the other."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.ranks import WorstLines, rank_line, worst_lines
from dsv3calc.ledger.named_lines import NamedLines

if TYPE_CHECKING:
    from dsv3calc.accounting.memory.footprint import Footprint
    from dsv3calc.ledger.line import Line
    from dsv3calc.schema.hardware import Hardware


class MemoryLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines of every pipeline rank, and of the fullest.

    ``totals`` are ``memory.rank.N.total`` [B], each over its other classes; ``layers`` what the
    largest layer of a rank takes, ``head`` what a micro-batch keeps of logits, and what its loss
    and the head take [B]; ``stages`` are ``memory.rank.N.chunk.N.stage`` [1].
    """

    worst: WorstLines
    totals: tuple[Line, ...]
    layers: tuple[Line, ...]
    head: tuple[Line, ...]
    stages: tuple[Line, ...]


def memory_lines(footprint: Footprint, hardware: Hardware | None) -> MemoryLines:
    """Give the memory of every pipeline rank of one layout, and of the fullest."""
    ranks = []
    for number in range(footprint.layout.pp):
        name = f"memory.rank.{number}"
        ranks.append(footprint.rank(name, rank_line(name, number)))
    return MemoryLines(
        totals=tuple(rank.lines["total"] for rank in ranks),
        layers=tuple(line for rank in ranks for line in rank.layer.values()),
        head=(footprint.buffers.head.kept, footprint.buffers.head.largest),
        stages=tuple(stage for rank in ranks for stage in rank.stages),
        worst=worst_lines(ranks, hardware),
    )
