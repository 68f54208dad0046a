"""Bytes that a GPU needs beside tensors that are kept: what is in transit, and what software takes.

Each is a line of its own; where one is an assumption, its preset says so.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.sharding import several
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.traffic.exchange import copy_bytes, experts_width
from dsv3calc.formulas import collectives, memory, stages
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.tags import Tags, about
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import ONE
from dsv3calc.model.saved import FP32
from dsv3calc.schema.layout import PAIRED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.memory.activations import Activations, SavedActivations
    from dsv3calc.accounting.memory.sharding import Sharding
    from dsv3calc.accounting.traffic.exchange import Exchange
    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recipe
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.setup import SetupMemory

SHARED = "memory.buffers.shared"
"""The line of what every pipeline rank has: counted once, and part of each rank's buffers."""

AT_WORK = "layer_at_work"
"""The quantity of the line of a rank's largest layer at work."""

REDUCED_AT_ONCE, _GATHERED = 2, 3
"""ZeRO stages from which gradients are reduced, and weights gathered, while a layer runs."""


SCOPE = "setup.memory"
"""Where the numbers of a set-up stand, for the lines that read them."""


def software_buffers(name: str, software: SetupMemory, layout: Layout) -> list[Line]:
    """Give what software takes of a device, whatever is computed.

    Returns
    -------
    Lines ``NAME.{driver_context,workspace,communication}`` [B], the last 0 on a single GPU.
    """
    scope = (SCOPE, software)
    degrees = [degree(layout, axis) for axis in ("tp", "cp", "pp", "dp")]
    every = combined(f"{name}.gpus", "product", degrees, unit="1")
    communicates = several(f"{name}.communicates", every)
    return [
        *(
            combined(f"{name}.{each}", "sum", [field(scope, each, "B")], tags=about(each))
            for each in ("driver_context", "workspace")
        ),
        combined(
            f"{name}.communication",
            "product",
            (field(scope, "communication", "B"), communicates),
            unit="B",
            convention="of collectives: none where there is one GPU",
            tags=about("communication"),
        ),
    ]


UNSHARDED = {2: ("gradients",), 3: ("weights", "gradients")}
"""ZeRO stage -> the classes that exist whole for a while, though replicas share them."""


class Replicated:
    """Classes of tensors that the same replicas share, whole, and whether there are several.

    What has no second replica counts as nothing: it is not gathered, nor reduced.
    """

    __slots__ = ("held", "shared")

    def __init__(self, held: dict[str, Line], shared: Line) -> None:
        self.held = held
        self.shared = shared

    def all_of(self, what: str) -> Line:
        """Return the bytes of all tensors of a class."""
        return self._where_shared(self.held[what])

    def largest_of(self, what: str) -> Line:
        """Return the bytes of the largest tensor of a class."""
        held = self.held[what]
        return self._where_shared(combined(f"{held.name}.largest", "maximum", held.parts))

    def _where_shared(self, line: Line) -> Line:
        return combined(f"{line.name}.replicated", "product", (line, self.shared), unit="B")


def _sums(name: str, groups: Sequence[Sequence[Replicated]], what: str) -> list[Line]:
    """Return the bytes of a class in each layer or end, whose tensors several replicas share."""
    return [
        total(f"memory.{name}.{number}.{what}", [each.all_of(what) for each in group], unit="B")
        for number, group in enumerate(groups)
    ]


class Unsharded:
    """What exists whole though replicas share it: weights in use, gradients yet to be reduced.

    ``layers`` and ``ends`` (embedding and head) are classes of tensors as no replica shares them.
    """

    __slots__ = ("ends", "largest", "layer", "zero")

    def __init__(
        self,
        layers: Sequence[Sequence[Replicated]],
        ends: Sequence[Sequence[Replicated]],
        software: SetupMemory,
        recipe: Recipe,
        sharding: Sharding,
        *,
        zero: int,
    ) -> None:
        self.zero = zero
        self.ends = {what: _sums("unsharded.ends", ends, what) for what in UNSHARDED[zero]}
        if zero == _GATHERED:  # a layer's gradients are reduced together, as it was gathered
            self.layer = combined(
                "memory.buffers.largest_layer",
                "maximum",
                _sums("unsharded.layers", layers, "weights"),
            )
            units = _sums("unsharded.layers", layers, "gradients")
        else:
            units = [each.largest_of("gradients") for group in layers for each in group]
            bucket = computed(
                "memory.buffers.bucket.full",
                memory.shard_bytes,
                elements=field((SCOPE, software), "bucket"),
                bits=field(("recipe", recipe), "gradient_bits", "bit"),
                divisor=ONE,
            )
            shared = sharding.is_shared("data")
            units.append(combined("memory.buffers.bucket", "product", (bucket, shared), unit="B"))
        self.largest = combined("memory.buffers.largest_gradients", "maximum", units)

    def of_rank(self, name: str, counts: Sequence[Line]) -> list[Line]:
        """Give the bytes of what is at work on a rank; ``counts`` are its embeddings and heads.

        Returns
        -------
        Line ``NAME.unreduced_gradients`` [B] and, under ZeRO-3, ``NAME.gathered_weights`` [B].
        """
        found = [
            combined(
                f"{name}.unreduced_gradients",
                "maximum",
                [self.largest, *self._ends(f"{name}.unreduced_gradients", counts, "gradients")],
                convention="of the largest of bucket, layer or tensor, embedding and head",
                tags=about("unreduced_gradients"),
            )
        ]
        if self.zero == _GATHERED:
            ends = self._ends(f"{name}.gathered", counts, "weights")
            at_work = combined(f"{name}.gathered.at_work", "maximum", [self.layer, *ends])
            found.append(
                total(
                    f"{name}.gathered_weights",
                    [at_work, self.layer],
                    convention="the largest of layer, embedding and head, and the next layer",
                    tags=about("gathered_weights"),
                )
            )
        return found

    def _ends(self, name: str, counts: Sequence[Line], what: str) -> list[Line]:
        return [
            combined(f"{name}.{number}", "product", (count, end), unit="B")
            for number, (count, end) in enumerate(zip(counts, self.ends[what], strict=True))
        ]


class Buffers:
    """The buffers of a training layout: those that every rank has, and those that some have."""

    def __init__(
        self,
        model: Model,
        layout: Layout,
        activations: Activations,
        views: Sequence[GroupView],
        kept: Sequence[SavedActivations],
        unsharded: Unsharded | None,
        exchange: Exchange,
        software: SetupMemory,
    ) -> None:
        """Make the lines.

        ``views`` and ``kept`` are the model's layer groups, ``unsharded`` what ZeRO-2 and 3 reduce
        and gather.
        """
        self.layout = layout
        self.activations = activations
        self.software = software
        self.unsharded = unsharded
        both = layout.schedule in PAIRED
        self._at_once = given(
            "memory.buffers.at_once", 2 if both else 1, "1", f"passes at once: {layout.schedule}"
        )
        self.at_work = [
            total(
                f"memory.buffers.{view.prefix}.at_work",
                [
                    *(self._exchange(model, view, exchange) if view.experts is not None else ()),
                    each.recomputed,
                    each.gradients,
                    *self._context(view, each),
                ],
                unit="B",
                convention="in transit, recomputed and differentiated while one layer runs",
            )
            for view, each in zip(views, kept, strict=True)
        ]
        self.logits = computed(
            "memory.buffers.logits_of_micro_batch",
            memory.activation_bytes,
            convention="FP32, from the forward to the backward pass of the loss",
            tokens=activations.tokens,
            width=field(("model", model), "vocab_size"),
            bits=FP32,
            group_size=ONE,
            scale_bits=given("logits.scale_bits", 0, "bit"),
            divisor=activations.divisors["split"]
            if layout.vocabulary_parallel
            else degree(layout, "cp"),
        )
        self.shared = [
            self._pipeline(model),
            *software_buffers("memory.buffers", software, layout),
        ]
        self.in_common = total(SHARED, self.shared, convention="the same on every pipeline rank")

    def _exchange(self, model: Model, view: GroupView, exchange: Exchange) -> list[Line]:
        """Give the bytes of dispatched and combined rows in transit."""
        exchanged = several("memory.buffers.is_exchanged", degree(self.layout, "ep"))
        rows = self.activations.rows(view)
        name = f"memory.buffers.{view.prefix}"
        width = experts_width(view)
        return [
            combined(
                f"{name}.{phase}",
                "product",
                (
                    rows,
                    copy_bytes(f"{name}.{phase}.copy", model, form, **width),
                    exchanged,
                    self._at_once,
                ),
                unit="B",
                convention=f"rows of one micro-batch, {form.title}",
                tags=Tags(quantity=phase, group=view.prefix),
            )
            for phase, form in (("dispatch", exchange.dispatch), ("combine", exchange.combine))
        ]

    def _pipeline(self, model: Model) -> Line:
        sent = several("memory.buffers.is_pipeline", degree(self.layout, "pp"))
        payload = computed(
            "memory.buffers.pipeline.payload",
            collectives.activation_payload,
            ("layout", self.layout),
            sequence=self.activations.sequence,
            width=architecture_of(model).between_layers,
            bits=self.activations.working,
            split=self.activations.divisors["block"],
        )
        four = given(
            "memory.buffers.pipeline.tensors", 4, "1", "sent and received, forward and backward"
        )
        factors, tags = (payload, sent, four), about("pipeline")
        return combined("memory.buffers.pipeline", "product", factors, unit="B", tags=tags)

    def _context(self, view: GroupView, kept: SavedActivations) -> list[Line]:
        """Give the keys and values of other GPUs of a sequence, while attention reads them."""
        method = self.layout.context_parallel_method
        if method == "all-to-all" or kept.carried is None:
            return []
        cp = degree(self.layout, "cp")
        divided = several("memory.buffers.is_divided", cp)
        blocks = cp
        if method == "ring":
            blocks = given("memory.buffers.blocks", 2, "1", "one at work, the next on its way")
        return [
            combined(
                f"memory.buffers.{view.prefix}.context",
                "product",
                (kept.carried, divided, blocks),
                unit="B",
                convention=f"keys and values of other GPUs of a sequence, {method}",
                tags=Tags(quantity="context", group=view.prefix),
            )
        ]

    def of_rank(
        self,
        name: str,
        rank: Line,
        layers: Sequence[Line],
        heads: Line,
        activations: Line,
        ends: Sequence[Line],
    ) -> Line:
        """Give the buffers of one pipeline rank.

        ``layers`` counts its layers of each group, ``heads`` the micro-batches whose logits are
        alive at the peak, ``activations`` are its own, and ``ends`` counts its embeddings and heads
        in the order of :class:`Unsharded`.

        Returns
        -------
        Line ``NAME.buffers`` [B].
        """
        at_work = [
            combined(
                f"{name}.at_work.{number}",
                "product",
                (computed(f"{name}.has_layers.{number}", stages.any_of, amount_here=count), line),
                unit="B",
            )
            for number, (count, line) in enumerate(zip(layers, self.at_work, strict=True))
        ]
        own = [
            combined(
                f"{name}.layer_at_work",
                "maximum",
                at_work,
                convention="the largest layer that the rank holds",
                tags=about(AT_WORK),
            ),
            combined(
                f"{name}.logits",
                "product",
                (heads, self.logits),
                unit="B",
                tags=about("logits"),
            ),
        ]
        if self.unsharded is not None:
            own += self.unsharded.of_rank(name, ends)
        if self.software.fragmentation:
            share = field((SCOPE, self.software), "fragmentation", "ratio")
            own.append(
                combined(
                    f"{name}.fragmentation",
                    "product",
                    (activations, share),
                    unit="B",
                    tags=about("fragmentation"),
                )
            )
        tags = Tags(quantity="buffers", rank=rank.value)
        return total(f"{name}.buffers", [*own, self.in_common], tags=tags)
