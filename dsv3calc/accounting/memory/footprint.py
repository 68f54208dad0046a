"""Memory of one GPU of a training layout, for any pipeline rank: six classes, one composition.

The pipeline rank is an argument like the others: a number, an array or a symbol. So are the
degrees of parallelism, the micro-batch and the sequence; schedule, ZeRO stage, policy of
recomputation and split of the layers are categories.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory.activations import Activations, SavedActivations, working_bits
from dsv3calc.accounting.memory.buffers import (
    REDUCED_AT_ONCE,
    UNSHARDED,
    Buffers,
    Replicated,
    Unsharded,
)
from dsv3calc.accounting.memory.ranks import Rank, WorstLines, rank_line, worst_lines
from dsv3calc.accounting.memory.sharding import CLASSES, Rules, Sharding, padded
from dsv3calc.accounting.memory.states import States, layer_tensors
from dsv3calc.accounting.placement.schedules import moments_of
from dsv3calc.accounting.placement.stages import Stages
from dsv3calc.accounting.traffic.exchange import Exchange
from dsv3calc.ledger.line import Line, combined, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.tags import UNTAGGED, Tags, about
from dsv3calc.model.architecture import architecture_of
from dsv3calc.schema.layout import SPLIT_BACKWARD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.placement.schedules import Moment
    from dsv3calc.accounting.placement.stages import Chunk
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recipe, Recompute
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import Precision
    from dsv3calc.schema.setup import SetupMemory


class Training:
    """What a layout trains with, beside the model and the layout themselves."""

    __slots__ = ("exchange", "imbalance", "precision", "recipe", "recompute", "rules", "software")

    def __init__(
        self,
        precision: Precision,
        recipe: Recipe,
        recompute: Recompute,
        software: SetupMemory,
        *,
        exchange: Exchange | None = None,
        rules: Rules | None = None,
        imbalance: Any = 1,
    ) -> None:
        self.precision = precision
        self.recipe = recipe
        self.recompute = recompute
        self.software = software
        self.exchange = exchange or Exchange()
        self.rules = rules or Rules()
        self.imbalance = imbalance


class Footprint:
    """The memory of every pipeline rank of one layout.

    What ranks have in common is counted once, when it is made; :meth:`rank` adds up one of them.
    """

    def __init__(
        self,
        model: Model,
        layout: Layout,
        training: Training,
        *,
        sequence: Any,
        micro_batches: Any,
        mtp: bool = False,
    ) -> None:
        arch = architecture_of(model)
        self.model = model
        self.layout = layout
        self.mtp = mtp and arch.mtp is not None
        self.micro_batches = (
            micro_batches
            if type(micro_batches) is Line
            else given("workload.micro_batches", micro_batches, "1", "of one replica in a step")
        )
        sharding = Sharding(layout, training.rules)
        states = States(sharding, training.recipe, training.precision)
        self.stages = Stages("memory.split", model, layout, mtp=mtp)
        self.views = [*arch.groups]
        if self.mtp and arch.mtp is not None:
            self.views.append(arch.mtp)
        self.activations = Activations(
            model,
            layout,
            sharding,
            training.recompute,
            sequence=sequence,
            imbalance=training.imbalance,
            waiting=layout.schedule in SPLIT_BACKWARD,
            working=working_bits(training.precision),
        )
        self.states = [
            states.of(f"memory.layer.{view.prefix}", self._tensors(view, training.rules), view)
            for view in self.views
        ]
        self.kept = [self._kept(view) for view in self.views]
        self.embedding_kept = self.activations.of_embedding("memory.embedding")
        self.head_kept = self.activations.of_head("memory.head")
        embedding, head, after = self._outer(training.rules)
        self.outer = [
            states.of(f"memory.{what}", tensors, None, component=what)
            for what, tensors in (("embedding", embedding), ("head", head), ("after", after))
            if tensors
        ]
        self.buffers = Buffers(
            model,
            layout,
            self.activations,
            self.views,
            self.kept,
            self._unsharded(training) if layout.zero >= REDUCED_AT_ONCE else None,
            training.exchange,
            training.software,
        )

    def _tensors(self, view: GroupView, rules: Rules) -> list[Tensor]:
        """List the tensors of one layer of a group, those beside MTP's layer among them."""
        arch = architecture_of(self.model)
        more = arch.mtp_tensors if view is arch.mtp else ()
        return [*layer_tensors(view, self.layout, rules), *more]

    def _kept(self, view: GroupView) -> SavedActivations:
        prefix = f"memory.layer.{view.prefix}"
        kept = self.activations.of_layer(prefix, view)
        if view is not architecture_of(self.model).mtp:
            return kept
        before = self.activations.of_mtp("memory.mtp")
        return _added(prefix, [kept, before, self.activations.of_head("memory.mtp.head")])

    def _outer(self, rules: Rules) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """List the embedding, the head unless it is the embedding, and what stands with it."""
        arch = architecture_of(self.model)
        embedding, head, *after = arch.outer
        if rules.padded and self.layout.vocabulary_parallel:
            embedding, head = padded(embedding, self.layout), padded(head, self.layout)
        first = [embedding, *arch.entry_tensors]
        return first, [] if self.model.tie_word_embeddings else [head], after

    def _unsharded(self, training: Training) -> Unsharded:
        """Give weights and gradients of layers and ends as no replica shares them."""
        whole = Sharding(msgspec.structs.replace(self.layout, zero=0), training.rules)
        states = States(whole, training.recipe, training.precision)
        classes = UNSHARDED[self.layout.zero]

        def of(name: str, tensors: list[Tensor], view: GroupView | None) -> list[Replicated]:
            found = []
            for group in whole.replicas:
                mine = [tensor for tensor in tensors if whole.group(tensor) == group]
                if mine:
                    held = states.of(f"{name}.{group}", mine, view, classes)
                    found.append(Replicated(held, whole.is_shared(group)))
            return found

        layers = [
            of(f"memory.unsharded.{view.prefix}", self._tensors(view, training.rules), view)
            for view in self.views
        ]
        embedding, head, _ = self._outer(training.rules)
        ends = [
            of(f"memory.unsharded.{name}", tensors, None)
            for name, tensors in (("embedding", embedding), ("head", head))
            if tensors
        ]
        return Unsharded(
            layers, ends, training.software, training.recipe, whole, zero=self.layout.zero
        )

    def rank(self, name: str, rank: Line) -> Rank:
        """Add up the memory of one pipeline rank.

        Parameters
        ----------
        name
            What the lines' names begin with: ``memory.rank.3``.
        rank
            Pipeline rank from 0; its value may be an array or a symbol.

        Returns
        -------
        Its lines by class, each ``NAME.CLASS`` [B], and the stages ``NAME.chunk.N.stage`` [1].
        """
        chunks = self.stages.chunks(name, rank)
        held = self.stages.held(name, chunks)
        copies = [*zip(self.stages.outer(name, chunks), self.outer, strict=True)]
        found = {
            what: combined(
                f"{name}.{what}",
                "sum_of_products",
                [
                    part
                    for count, each in zip(held, self.states, strict=True)
                    for part in (count, each[what])
                ]
                + [part for count, each in copies for part in (count, each[what])],
                unit="B",
                tags=Tags(quantity=what, rank=rank.value),
            )
            for what in CLASSES
        }
        moments = moments_of(
            name, self.layout, rank, [chunk.stage for chunk in chunks], self.micro_batches
        )
        found["activations"] = self._activations(name, rank, chunks, moments)
        heads = self._living_heads(name, chunks, moments)
        ends = [count for count, _ in copies[:-1]]  # the last is the final norm
        found["buffers"] = self.buffers.of_rank(name, rank, held, heads, found["activations"], ends)
        tags = Tags(quantity="total", rank=rank.value)
        found["total"] = total(f"{name}.total", list(found.values()), tags=tags)
        return Rank(rank, [chunk.stage for chunk in chunks], found)

    def _activations(
        self, name: str, rank: Line, chunks: Sequence[Chunk], moments: Sequence[Moment]
    ) -> Line:
        """Add up what micro-batches in flight keep, at the moment when it is most."""
        kept = [self._of_chunk(chunk, "activations") for chunk in chunks]
        pending = (
            [self._of_chunk(chunk, "pending") for chunk in chunks]
            if any(moment.pending for moment in moments)
            else []
        )
        found = []
        one, tags = len(moments) == 1, Tags(quantity="activations", rank=rank.value)
        for number, moment in enumerate(moments):
            pairs = [*zip(moment.in_flight, kept, strict=True)]
            if moment.pending:
                pairs += zip(moment.pending, pending, strict=True)
            found.append(
                combined(
                    f"{name}.activations" if one else f"{name}.moment.{number}",
                    "sum_of_products",
                    [part for pair in pairs for part in pair],
                    unit="B",
                    tags=tags if one else UNTAGGED,
                )
            )
        return found[0] if one else combined(f"{name}.activations", "maximum", found, tags=tags)

    def _of_chunk(self, chunk: Chunk, what: str) -> Line:
        """Add up one micro-batch of a chunk: its layers, and what embedding and head keep."""

        def line_of(kept: SavedActivations) -> Line | None:
            return kept.kept if what == "activations" else kept.pending

        pairs = [*zip(chunk.layers, self.kept, strict=True), (chunk.head, self.head_kept)]
        if self.activations.recompute.dropout or architecture_of(self.model).entry:
            pairs.append((chunk.embedding, self.embedding_kept))
        return combined(
            f"{chunk.name}.activations" + ("" if what == "activations" else f".{what}"),
            "sum_of_products",
            [
                part
                for count, kept in pairs
                if (line := line_of(kept)) is not None
                for part in (count, line)
            ],
            unit="B",
            tags=about(what),
        )

    def _living_heads(self, name: str, chunks: Sequence[Chunk], moments: Sequence[Moment]) -> Line:
        """Count the micro-batches whose logits are alive: those in flight where a head stands."""
        heads = [
            total(f"{chunk.name}.logits", [chunk.head, chunk.layers[-1]], unit="1")
            if self.mtp
            else chunk.head
            for chunk in chunks
        ]
        found = [
            combined(
                f"{name}.living_logits" + ("" if len(moments) == 1 else f".{number}"),
                "sum_of_products",
                [part for pair in zip(moment.in_flight, heads, strict=True) for part in pair],
                unit="1",
            )
            for number, moment in enumerate(moments)
        ]
        return found[0] if len(found) == 1 else combined(f"{name}.living_logits", "maximum", found)


def _added(prefix: str, parts: Sequence[SavedActivations]) -> SavedActivations:
    """Join what an MTP module's layer keeps with what stands before and after it."""
    pending = [part.pending for part in parts if part.pending is not None]

    def summed(quantity: str, lines: list[Line]) -> Line:
        tags = msgspec.structs.replace(parts[0].kept.tags, quantity=quantity)
        return total(f"{prefix}.all_{quantity}", lines, tags=tags)

    return SavedActivations(
        summed("activations", [part.kept for part in parts]),
        summed("recomputed", [part.recomputed for part in parts]),
        summed("output_gradients", [part.gradients for part in parts]),
        summed("pending", pending) if pending else None,
        parts[0].carried,
    )


class MemoryLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines of every pipeline rank, and of the fullest.

    ``totals`` are ``memory.rank.N.total`` [B], each over its other classes; ``stages`` are
    ``memory.rank.N.chunk.N.stage`` [1].
    """

    totals: tuple[Line, ...]
    stages: tuple[Line, ...]
    worst: WorstLines


def memory_lines(footprint: Footprint, hardware: Hardware | None) -> MemoryLines:
    """Give the memory of every pipeline rank of one layout, and of the fullest."""
    ranks = []
    for number in range(footprint.layout.pp):
        name = f"memory.rank.{number}"
        ranks.append(footprint.rank(name, rank_line(name, number)))
    return MemoryLines(
        totals=tuple(rank.lines["total"] for rank in ranks),
        stages=tuple(stage for rank in ranks for stage in rank.stages),
        worst=worst_lines(ranks, hardware),
    )
