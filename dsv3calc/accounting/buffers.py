"""Bytes that a GPU needs beside tensors that are kept: what is in transit, and what software takes.

Each is a line of its own; where one is an assumption, its preset says so.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.activation_tensors import BF16, FP32
from dsv3calc.accounting.architecture import ONE
from dsv3calc.accounting.exchange import copy_bytes
from dsv3calc.accounting.rank_order import degree
from dsv3calc.formulas import collectives, memory
from dsv3calc.ledger import Line, combined, computed, field, given, total
from dsv3calc.schema.model import MoE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.activations import Activations, Kept
    from dsv3calc.accounting.architecture import GroupView
    from dsv3calc.accounting.exchange import Exchange
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recipe, Runtime
    from dsv3calc.schema.model import Model

SHARED = "memory.buffers.shared"
"""The line of what every pipeline rank has: counted once, and part of each rank's buffers."""

_OVERLAPPED = ("dualpipe", "dualpipev")
GATHERED, _REDUCED_AT_ONCE = 3, 2
"""ZeRO stages from which weights are gathered, and gradients reduced, while a layer runs."""


class Gathered:
    """What ZeRO-3 gathers whole while it is used: of one layer of each group, and of the ends."""

    __slots__ = ("ends", "layers")

    def __init__(self, layers: Sequence[Line], ends: Sequence[Line]) -> None:
        self.layers = list(layers)
        self.ends = list(ends)

    def of_rank(self, name: str, counts: Sequence[Line]) -> Line:
        """Give the bytes of what is at work, and of the next layer on its way.

        ``counts`` says how many of each of the ends a rank has.

        Returns
        -------
        Line ``NAME.gathered_weights`` [B].
        """
        layer = combined("memory.buffers.largest_layer", "maximum", self.layers)
        ends = [
            combined(f"{name}.gathered.{number}", "product", pair, unit="B")
            for number, pair in enumerate(zip(counts, self.ends, strict=True))
        ]
        at_work = combined(f"{name}.gathered.at_work", "maximum", [layer, *ends])
        return total(
            f"{name}.gathered_weights",
            [at_work, layer],
            convention="the largest of layer, embedding and head, and the next layer",
        )


class Buffers:
    """The buffers of a training layout: those that every rank has, and those that some have."""

    def __init__(
        self,
        model: Model,
        layout: Layout,
        activations: Activations,
        views: Sequence[GroupView],
        kept: Sequence[Kept],
        gathered: Gathered | None,
        exchange: Exchange,
        recipe: Recipe,
        runtime: Runtime,
    ) -> None:
        """Make the lines.

        ``views`` and ``kept`` are the model's layer groups, ``gathered`` what ZeRO-3 gathers.
        """
        self.layout = layout
        self.activations = activations
        self.runtime = runtime
        self.views = views
        self.gathered = gathered
        both = layout.schedule in _OVERLAPPED
        self._at_once = given(
            "memory.buffers.at_once", 2 if both else 1, "1", f"passes at once: {layout.schedule}"
        )
        self.experts = {
            index: self._exchange(model, view, exchange)
            for index, view in enumerate(views)
            if isinstance(view.group.feed_forward, MoE)
        }
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
            combined(
                "memory.buffers.recomputation",
                "maximum",
                [each.recomputed for each in kept],
                convention="what one layer recomputes while its backward pass runs",
            ),
            *self._context(kept),
            *self._bucket(recipe),
            *(
                combined(f"memory.buffers.{name}", "sum", [field(("runtime", runtime), name, "B")])
                for name in ("driver_context", "workspace", "communication")
            ),
        ]
        self.in_common = total(SHARED, self.shared, convention="the same on every pipeline rank")

    def _exchange(self, model: Model, view: GroupView, exchange: Exchange) -> list[Line]:
        """Give the bytes of dispatched and combined rows in transit."""
        ep = degree(self.layout, "ep")
        others = combined("memory.buffers.other_experts", "difference", (ep, ONE))
        several = computed("memory.buffers.is_exchanged", memory.any_of, amount_here=others)
        rows = self.activations.rows(view)
        name = f"memory.buffers.{view.prefix}"
        return [
            combined(
                f"{name}.{phase}",
                "product",
                (rows, copy_bytes(f"{name}.{phase}.copy", model, form), several, self._at_once),
                unit="B",
                convention=f"rows of one micro-batch, {form.title}",
            )
            for phase, form in (("dispatch", exchange.dispatch), ("combine", exchange.combine))
        ]

    def _pipeline(self, model: Model) -> Line:
        pp = degree(self.layout, "pp")
        others = combined("memory.buffers.other_stages", "difference", (pp, ONE))
        several = computed("memory.buffers.is_pipeline", memory.any_of, amount_here=others)
        payload = computed(
            "memory.buffers.pipeline.payload",
            collectives.activation_payload,
            ("layout", self.layout),
            sequence=self.activations.sequence,
            width=field(("model", model), "hidden_size"),
            bits=BF16,
            split=self.activations.divisors["block"],
        )
        four = given(
            "memory.buffers.pipeline.tensors", 4, "1", "sent and received, forward and backward"
        )
        return combined("memory.buffers.pipeline", "product", (payload, several, four), unit="B")

    def _context(self, kept: Sequence[Kept]) -> list[Line]:
        """Give the keys and values of other GPUs of a sequence, while attention reads them."""
        method = self.layout.context_parallel_method
        if method == "all-to-all":
            return []
        cp = degree(self.layout, "cp")
        others = combined("memory.buffers.other_parts", "difference", (cp, ONE))
        several = computed("memory.buffers.is_divided", memory.any_of, amount_here=others)
        own = [
            total(
                f"memory.buffers.context.{view.prefix}",
                [
                    line
                    for line in (*each.kept.published(), *each.recomputed.published())
                    if line.name.endswith((".keys", ".values"))
                ],
                unit="B",
            )
            for view, each in zip(self.views, kept, strict=True)
        ]
        largest = combined("memory.buffers.context.largest", "maximum", own)
        parts = [largest, several]
        if method == "ring":
            parts.append(given("memory.buffers.blocks", 2, "1", "one at work, the next on its way"))
        else:
            parts.append(cp)
        words = f"keys and values of other GPUs of a sequence, {method}"
        return [combined("memory.buffers.context", "product", parts, unit="B", convention=words)]

    def _bucket(self, recipe: Recipe) -> list[Line]:
        if self.layout.zero < _REDUCED_AT_ONCE:
            return []
        return [
            computed(
                "memory.buffers.gradient_bucket",
                memory.shard_bytes,
                convention="gradients on their way to the replica that keeps them",
                elements=field(("runtime", self.runtime), "bucket"),
                bits=field(("recipe", recipe), "gradient_bits", "bit"),
                divisor=ONE,
            )
        ]

    def of_rank(
        self,
        name: str,
        layers: Sequence[Line],
        heads: Line,
        activations: Line,
        ends: Sequence[Line],
    ) -> Line:
        """Give the buffers of one pipeline rank.

        ``layers`` counts its layers of each group, ``heads`` the micro-batches whose logits are
        alive at the peak, ``activations`` are its own, and ``ends`` counts its embeddings and heads
        in the order of :attr:`Gathered.ends`.

        Returns
        -------
        Line ``NAME.buffers`` [B].
        """
        own = []
        for index, lines in self.experts.items():
            here = computed(f"{name}.has_experts.{index}", memory.any_of, amount_here=layers[index])
            parts = [part for line in lines for part in (here, line)]
            which = "exchange" if len(self.experts) == 1 else f"exchange.{index}"
            own.append(combined(f"{name}.{which}", "sum_of_products", parts, unit="B"))
        if len(own) > 1:
            own = [combined(f"{name}.exchange", "maximum", own)]
        own.append(combined(f"{name}.logits", "product", (heads, self.logits), unit="B"))
        if self.gathered is not None:
            own.append(self.gathered.of_rank(name, ends))
        if self.runtime.fragmentation:
            share = field(("runtime", self.runtime), "fragmentation", "ratio")
            own.append(combined(f"{name}.fragmentation", "product", (activations, share), unit="B"))
        return total(f"{name}.buffers", [*own, self.in_common])
