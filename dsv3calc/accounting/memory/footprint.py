"""Memory of one GPU of a training layout, for any pipeline rank: six classes, one composition.

The pipeline rank is an argument like the others: a number, an array or a symbol. So are the
degrees of parallelism, the micro-batch and the sequence; schedule, ZeRO stage, policy of
recomputation and split of the layers are categories. Footprints that differ in categories alone
have most of their parts in common.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory.activations import Activations, SavedActivations, working_bits
from dsv3calc.accounting.memory.buffers import Buffers
from dsv3calc.accounting.memory.in_common import Categories, InCommon
from dsv3calc.accounting.memory.in_flight import InFlight, added, instant_names, living_logits
from dsv3calc.accounting.memory.peak import Peak, overlapping_peak, peak_of
from dsv3calc.accounting.memory.ranks import Rank
from dsv3calc.accounting.memory.sharding import CLASSES, Rules, Sharding, padded, several
from dsv3calc.accounting.memory.states import States, layer_tensors
from dsv3calc.accounting.memory.unsharded import (
    REDUCED_AT_ONCE,
    UNSHARDED,
    Replicated,
    Unsharded,
)
from dsv3calc.accounting.placement.schedules import peak_instants
from dsv3calc.accounting.placement.stages import Chunk, Stages
from dsv3calc.accounting.traffic.exchange import Exchange
from dsv3calc.ledger.line import Line, combined, given, total
from dsv3calc.ledger.tags import Tags, about
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import ONE
from dsv3calc.schema.layout import SPLIT_BACKWARD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.placement.schedules import PeakInstant
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recipe, Recompute
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import Precision
    from dsv3calc.schema.setup import SetupMemory


class Training:
    """What a layout trains with, beside the model and the layout themselves.

    ``twice`` names formats of weights of which software keeps two copies.
    """

    __slots__ = (
        "exchange",
        "imbalance",
        "precision",
        "recipe",
        "recompute",
        "rules",
        "software",
        "twice",
    )

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
        twice: frozenset[str] = frozenset(),
    ) -> None:
        self.twice = twice
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
        in_common: InCommon | None = None,
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
        self.views = [*arch.groups]
        if self.mtp and arch.mtp is not None:
            self.views.append(arch.mtp)
        self.categories = by = Categories(layout, training.recompute.name)
        self.once = (in_common or InCommon()).once
        self.stages = self.once(
            ("stages", by.placed), lambda: Stages("memory.split", model, layout, mtp=mtp)
        )
        self.sharding = self.once(("sharding", by.states), lambda: Sharding(layout, training.rules))
        self.states, self.outer = self.once(("states", by.states), lambda: self._states(training))
        self.activations, self.kept, self.in_flight = self.once(
            ("activations", by.activations), lambda: self._activations(training, sequence)
        )
        self.buffers = self.once(("buffers", by.buffers), lambda: self._buffers(training))

    def _states(self, training: Training) -> tuple[list[dict[str, Line]], list[dict[str, Line]]]:
        """Give weights, gradients and optimizer states of layers, and of what is outside them."""
        states = States(self.sharding, training.recipe, training.precision, training.twice)
        layers = [
            states.of(f"memory.layer.{view.prefix}", self._tensors(view, training.rules), view)
            for view in self.views
        ]
        embedding, head, after = self._outer(training.rules)
        outer = [
            states.of(f"memory.{what}", tensors, None, component=what)
            for what, tensors in (("embedding", embedding), ("head", head), ("after", after))
            if tensors
        ]
        return layers, outer

    def _activations(
        self, training: Training, sequence: Any
    ) -> tuple[Activations, list[SavedActivations], InFlight]:
        """Give what a micro-batch keeps, in layers and outside them."""
        found = self.activations = Activations(
            self.model,
            self.layout,
            self.sharding,
            training.recompute,
            sequence=sequence,
            imbalance=training.imbalance,
            waiting=self.layout.schedule in SPLIT_BACKWARD,
            working=working_bits(training.precision),
            separate_output=training.software.separate_context_output,
        )
        kept = [self._kept(view) for view in self.views]
        in_flight = InFlight(
            kept,
            found.of_embedding("memory.embedding"),
            found.of_head("memory.head"),
            embedding_keeps=training.recompute.dropout or bool(architecture_of(self.model).entry),
            mtp=self.mtp,
        )
        return found, kept, in_flight

    def _buffers(self, training: Training) -> Buffers:
        unsharded = None
        if self.layout.zero >= REDUCED_AT_ONCE:
            unsharded = self.once(
                ("unsharded", self.categories.states), lambda: self._unsharded(training)
            )
        return Buffers(
            self.model,
            self.layout,
            self.activations,
            self.views,
            self.kept,
            unsharded,
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
        return added(prefix, [kept, before, self.activations.of_head("memory.mtp.head")])

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
        states = States(whole, training.recipe, training.precision, training.twice)
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
        by = self.categories
        chunks, held, counts, instants, heads = self.once(
            ("placed", by.placed, name), lambda: self._placed(name, rank)
        )
        found = {
            **self.once(
                ("held", by.placed, by.states, name), lambda: self._held(name, rank, held, counts)
            )
        }
        activations = self.once(
            ("in flight", by.placed, by.activations, name),
            lambda: self.in_flight.activations(name, rank, chunks, instants),
        )
        ends = counts[:-1]  # the last is the final norm
        layer = self.buffers.layer_of_rank(name, held, ends)
        released = self._released(name, found["gradients"])
        peak = self._peak(name, rank, activations, heads, instants, layer, released)
        found["activations"] = peak.activations
        always = self.buffers.always(name, held, heads, ends, self.micro_batches)
        held_then = self._add_up(name, rank, found, peak, always, released)
        return Rank(rank, [chunk.stage for chunk in chunks], found, held_then, layer)

    def _placed(
        self, name: str, rank: Line
    ) -> tuple[list[Chunk], list[Line], list[Line], list[PeakInstant], list[Line]]:
        """Return what stands on a rank, the instants of its peak, and the heads of its chunks."""
        chunks = self.stages.chunks(name, rank)
        held = self.stages.held(name, chunks)
        instants = peak_instants(
            name, self.layout, rank, [chunk.stage for chunk in chunks], self.micro_batches
        )
        heads = self.in_flight.heads(chunks)
        return chunks, held, self.stages.outer(name, chunks), instants, heads

    def _held(
        self, name: str, rank: Line, held: Sequence[Line], counts: Sequence[Line]
    ) -> dict[str, Line]:
        """Add up the states of what stands on a rank."""
        pairs = [
            *zip(held, self.states, strict=True),
            *zip(counts, self.outer, strict=True),
        ]
        return {
            what: combined(
                f"{name}.{what}",
                "sum_of_products",
                [part for count, each in pairs for part in (count, each[what])],
                unit="B",
                tags=Tags(quantity=what, rank=rank.value),
            )
            for what in CLASSES
        }

    def _peak(
        self,
        name: str,
        rank: Line,
        activations: Sequence[Line],
        heads: Sequence[Line],
        instants: Sequence[PeakInstant],
        layer: dict[str, Line],
        released: Line | None,
    ) -> Peak:
        """Find the peak of a rank among its instants."""
        head = self.buffers.head
        if self.buffers.paired:  # most are in flight at the first
            living = living_logits(f"{name}.living_logits", instants[0], heads)
            return overlapping_peak(name, rank, activations, living, head, layer)
        names = [name] if len(instants) == 1 else instant_names(name, len(instants))
        living_at = [
            living_logits(f"{each}.living_logits", instant, heads)
            for each, instant in zip(names, instants, strict=True)
        ]
        return peak_of(name, rank, activations, living_at, head, layer, released)

    def _released(self, name: str, gradients: Line) -> Line | None:
        """Give the gradients that are not there at the first loss of a step, None if all are."""
        if not self.buffers.software.frees_gradients or self.buffers.paired:
            return None
        several_of_them = several("memory.several_micro_batches", self.micro_batches)
        alone = combined("memory.one_micro_batch", "difference", (ONE, several_of_them))
        return combined(
            f"{name}.gradients.released",
            "product",
            (gradients, alone),
            unit="B",
            convention="created anew in the first backward pass of a step",
        )

    def _add_up(
        self,
        name: str,
        rank: Line,
        found: dict[str, Line],
        peak: Peak,
        always: Sequence[Line],
        released: Line | None,
    ) -> dict[str, Line]:
        """Add the buffers and the total of a rank to the classes that were found.

        Returns
        -------
        What is ``allocated`` and ``reserved`` of the total.
        """
        buffers, gradients = self.buffers, found["gradients"]
        states = [found["weights"], gradients, found["optimizer"]]
        if released is not None and peak.absent is not None:
            states[1] = combined(f"{name}.gradients.kept", "difference", (gradients, released))
            found["gradients"] = combined(
                f"{name}.gradients_at_peak", "difference", (gradients, peak.absent)
            )
        tensors = [*states, *peak.parts, *always]
        allocated = total(f"{name}.allocated", [*tensors, buffers.tensors])
        beyond = buffers.fragmentation(name, peak.activations)
        if buffers.allowance is not None:
            beyond.append(
                combined(
                    f"{name}.allowance",
                    "product",
                    (allocated, buffers.allowance),
                    unit="B",
                    tags=about("allowance"),
                )
            )
        parts = [*peak.working.values(), *always, *beyond, buffers.in_common]
        tags = Tags(quantity="buffers", rank=rank.value)
        found["buffers"] = total(f"{name}.buffers", parts, tags=tags)
        reserved = total(f"{name}.reserved", [allocated, *beyond])
        tags = Tags(quantity="total", rank=rank.value)
        parts = [*tensors, *beyond, buffers.in_common]
        found["total"] = total(f"{name}.total", parts, tags=tags)
        return {"allocated": allocated, "reserved": reserved}
