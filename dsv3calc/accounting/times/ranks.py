"""What a pipeline rank computes for one micro-batch: forward, and gradients of inputs and weights.

A rank's chunks are passed one after the other; under DualPipe each micro-batch passes one of two.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dsv3calc.accounting.times.kernels import FORWARD, INPUT_GRADIENT, MODEL, PASSES
from dsv3calc.accounting.times.recomputed import activation_again, recomputed
from dsv3calc.ledger.line import Line, combined, given, total
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.operator import LOOKUP, ONE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.accounting.placement.stages import Chunk, Stages
    from dsv3calc.accounting.times.fold import Fold
    from dsv3calc.accounting.times.kernel_time import KernelTime
    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.memory import Recompute

HEAD, EMBEDDING = "head", "embedding"
"""What stands after the layers and before them."""

Seconds = dict[str, Line]
"""Pass of :data:`PASSES` -> its seconds."""


class Placed(NamedTuple):
    """A pipeline rank, and the chunks that it holds."""

    number: Line
    chunks: list[Chunk]


class Rank(NamedTuple):
    """A pipeline rank: the stages of its chunks, the seconds of each, and of a micro-batch."""

    number: Line
    stages: list[Line]
    chunks: list[Seconds]
    seconds: Seconds


def placed_rank(number: int, value: Any, stages: Stages) -> Placed:
    """Give what a rank holds, whatever time that takes; ``number`` names its lines."""
    rank = given(f"train.rank.{number}", value, "1", "pipeline rank from 0")
    return Placed(rank, stages.chunks(f"train.rank.{number}", rank))


class RankTimes:
    """The seconds of every pipeline rank, by one of the three times.

    ``what`` is ``compute_time`` for the bound, ``floor``, or ``estimate``, which has what the
    set-up shows of exchanges inside of layers.
    """

    def __init__(self, fold: Fold, recompute: Recompute, what: str) -> None:
        self.fold = fold
        self.recompute = recompute
        self.what = what
        self.prefix = f"train.{'bound' if what == 'compute_time' else what}"
        sent = fold.shown() if what == "estimate" else {}
        self.of_layer = {
            place.name: self._seconds(place.name, place.kernels, sent.get(place.name, {}))
            for place in fold.places
            if place.name != MODEL
        }
        outer = next(place for place in fold.places if place.name == MODEL)
        ends: dict[str, list[KernelTime]] = {EMBEDDING: [], HEAD: []}
        for kernel in outer.kernels:
            ends[EMBEDDING if kernel.kernel.first.kind == LOOKUP else HEAD].append(kernel)
        self.of_end = {
            end: self._seconds(end, kernels, sent.get(MODEL, {}) if end == HEAD else {})
            for end, kernels in ends.items()
        }

    def _seconds(
        self, name: str, kernels: Sequence[KernelTime], sent: dict[str, list[Line]]
    ) -> Seconds:
        """Sum up the kernels of a layer by pass, and what is sent in it and not hidden."""
        parts: dict[str, list[Line]] = {each: list(sent.get(each, ())) for each in PASSES}
        for kernel in kernels:
            for each, lines in kernel.by_pass.items():
                parts[each].append(lines[self.what])
        if self.what != "compute_time":
            parts[INPUT_GRADIENT] += self._again(kernels)
        return {
            each: total(f"{self.prefix}.layer.{name}.{each}", lines, unit="s")
            for each, lines in parts.items()
        }

    def _again(self, kernels: Sequence[KernelTime]) -> Iterator[Line]:
        """Yield the seconds of what runs again before the backward pass of a layer."""
        for kernel, share in recomputed(kernels, self.recompute):
            seconds = kernel.by_pass[FORWARD][self.what]
            if share is ONE:
                yield seconds
            else:
                yield combined(f"{seconds.name}.again", "product", (seconds, share), unit="s")
        for kernel in kernels:
            if activation_again(kernel.kernel, self.recompute):
                yield self.fold.activation_again(kernel.kernel)

    def of_rank(self, number: int, placed: Placed, stages: Stages) -> Rank:
        """Give the seconds of a rank for one micro-batch; ``number`` names its lines."""
        rank, chunks = placed
        views = [*stages.groups, *([] if stages.mtp is None else [stages.mtp])]
        name = f"{self.prefix}.rank.{number}"
        by_chunk = [
            {
                each: self._of_chunk(f"{name}.chunk.{place}.{each}", views, chunk, each)
                for each in PASSES
            }
            for place, chunk in enumerate(chunks)
        ]
        found = {
            each: total(f"{name}.{each}", [chunk[each] for chunk in by_chunk], unit="s")
            for each in PASSES
        }
        if stages.layout.schedule == "dualpipe":
            share = given("dualpipe.share", 0.5, "1", "a micro-batch passes one of two stages")
            found = {
                each: combined(f"{name}.{each}.mean", "product", (line, share))
                for each, line in found.items()
            }
        return Rank(rank, [chunk.stage for chunk in chunks], by_chunk, found)

    def _of_chunk(self, name: str, views: Sequence[GroupView], chunk: Chunk, what: str) -> Line:
        parts = []
        for view, layers in zip(views, chunk.layers, strict=True):
            parts += [layers, self.of_layer[view.prefix][what]]
        parts += [chunk.embedding, self.of_end[EMBEDDING][what]]
        parts += [chunk.head, self.of_end[HEAD][what]]
        tags = Tags(quantity=what, component="rank")
        return combined(name, "sum_of_products", parts, unit="s", tags=tags)
