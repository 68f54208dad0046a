"""Bytes that a GPU needs beside tensors that are kept: what is in transit, and what software takes.

Each is a line of its own; where one is an assumption, its preset says so.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.gradient_buffers import GradientBuffers
from dsv3calc.accounting.memory.loss import HeadBuffers
from dsv3calc.accounting.memory.sharding import several
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.traffic.exchange import copy_bytes, experts_width
from dsv3calc.formulas import collectives, stages
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.tags import Tags, about
from dsv3calc.model.architecture import architecture_of
from dsv3calc.schema.layout import PAIRED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.memory.activations import Activations, SavedActivations
    from dsv3calc.accounting.memory.unsharded import Unsharded
    from dsv3calc.accounting.traffic.exchange import Exchange
    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.setup import SetupMemory

SHARED = "memory.buffers.shared"
"""The line of what every pipeline rank has: counted once, and part of each rank's buffers."""

AT_WORK = "layer_at_work"
"""The quantity of the line of a rank's largest layer at work."""

UNREDUCED = "unreduced_gradients"
"""The quantity of the line of gradients that wait to be reduced while a layer runs."""

WORKSPACE = "workspace"
"""The quantity of the line of what the matrix library has from the allocator of tensors."""

NOTHING = given("memory.nothing", 0, "B")

_GATHERED = {True: "the input and its gradient", False: "the gradient of the output"}

SCOPE = "setup.memory"
"""Where the numbers of a set-up stand, for the lines that read them."""


def software_buffers(name: str, software: SetupMemory, layout: Layout) -> list[Line]:
    """Give what software takes of a device, whatever is computed.

    Returns
    -------
    Lines ``NAME.{driver_context,workspace,communication}`` [B], the last 0 on a single GPU.
    """
    scope = (SCOPE, software)
    axes = software.communication_axes
    degrees = [degree(layout, axis) for axis in axes]
    every = combined(f"{name}.gpus", "product", degrees, unit="1")
    communicates = several(f"{name}.communicates", every)
    return [
        *(
            combined(f"{name}.{each}", "sum", [field(scope, each, "B")], tags=about(each))
            for each in ("driver_context", WORKSPACE)
        ),
        combined(
            f"{name}.communication",
            "product",
            (field(scope, "communication", "B"), communicates),
            unit="B",
            convention=f"of collectives: none without {', '.join(axes)} above 1",
            tags=about("communication"),
        ),
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
        self.paired = layout.schedule in PAIRED
        self._at_once = given(
            "memory.buffers.at_once",
            2 if self.paired else 1,
            "1",
            f"passes at once: {layout.schedule}",
        )
        self.at_work = [
            total(
                f"memory.buffers.{view.prefix}.at_work",
                [
                    *(self._exchange(model, view, exchange) if view.experts is not None else ()),
                    each.recomputed,
                    each.gradients,
                    *self._context(view, each),
                    *self._gathered(view),
                ],
                unit="B",
                convention="in transit, recomputed, and gradients, while one layer runs",
            )
            for view, each in zip(views, kept, strict=True)
        ]
        sharding = activations.sharding
        self.gradient_buffers = None
        beside = [] if unsharded is None else [unsharded.head_gradient]
        if software.gradient_buffers != "none":
            stacked = software.gradient_buffers == "fused-accumulation-stacked"
            self.gradient_buffers = GradientBuffers(model, views, sharding, stacked=stacked)
        self.head = HeadBuffers(model, layout, activations, software, beside)
        scope, apart = (SCOPE, software), [*software_buffers("memory.buffers", software, layout)]
        self.apart = [line for line in apart if line.tags.quantity != WORKSPACE]
        tensors = [self._pipeline(model), *(each for each in apart if each not in self.apart)]
        self.tensors = total("memory.buffers.tensors", tensors)
        self.allowance = field(scope, "allowance", "ratio") if software.allowance else None
        self.shared = [*tensors, *self.apart]
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

    def _gathered(self, view: GroupView) -> list[Line]:
        """Give what sequence parallelism gathers for the product of a layer at which it is most.

        Its input and the gradient of its input are whole where tensor parallelism divides its
        output, the gradient of its output where it divides its input.
        """
        layout = self.layout
        if not layout.sequence_parallel:
            return []
        found = []
        for operator in view.operators():
            columns, rows = "tp" in operator.before, "tp" in operator.after
            divided = operator.matrices and not layout.is_replicated(operator.component)
            if not (divided and (columns or rows)):
                continue
            matrix = operator.matrices[0]
            width = matrix.in_features if columns else matrix.out_features
            assert width is not None  # noqa: S101 - products have matrices
            name = f"memory.buffers.{view.prefix}.gathered.{operator.name}"
            whole = self.activations.working_bytes(f"{name}.whole", width, "whole")
            tensors = given(f"{name}.tensors", 2 if columns else 1, "1", _GATHERED[columns])
            found.append(combined(name, "product", (whole, tensors), unit="B"))
        gathers = several("memory.buffers.is_gathered", degree(layout, "tp"))
        name = f"memory.buffers.{view.prefix}.gathered"
        most = combined(f"{name}.largest", "maximum", found)
        tags = Tags(quantity="gathered", group=view.prefix)
        words = "what sequence parallelism gathers for one product"
        return [combined(name, "product", (most, gathers), unit="B", convention=words, tags=tags)]

    def layer_of_rank(
        self, name: str, layers: Sequence[Line], ends: Sequence[Line]
    ) -> dict[str, Line]:
        """Give what the layers of a rank need while the largest of them runs.

        ``layers`` counts those of each group, ``ends`` the embeddings and heads of the rank.

        Returns
        -------
        Lines [B]: ``layer_at_work`` and, under ZeRO-2 and 3, ``unreduced_gradients``.
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
        found = {
            AT_WORK: combined(
                f"{name}.largest_layer",
                "maximum",
                at_work,
                convention="the largest layer that the rank holds",
                tags=about(AT_WORK),
            )
        }
        if self.unsharded is not None:
            found[UNREDUCED] = self.unsharded.of_layer(name, ends)
        return found

    def always(
        self,
        name: str,
        layers: Sequence[Line],
        heads: Sequence[Line],
        ends: Sequence[Line],
        micro_batches: Line,
    ) -> list[Line]:
        """Give what a rank has at all times beside what every rank has.

        ``heads`` counts the heads of its chunks, those of MTP modules among them.
        """
        found = [] if self.unsharded is None else self.unsharded.of_rank(name, layers, ends)
        every = total(f"{name}.heads_of_chunks", heads, unit="1")
        if self.gradient_buffers is not None:
            found.append(self.gradient_buffers.of_rank(name, [*layers, every]))
        if self.software.keeps_outputs:
            sent = several("memory.buffers.is_pipeline", degree(self.layout, "pp"))
            found.append(
                combined(
                    f"{name}.outputs",
                    "product",
                    (every, micro_batches, self.head.output, sent),
                    unit="B",
                    convention="of every micro-batch of a step, where there is a pipeline",
                    tags=about("outputs"),
                )
            )
        return found

    def fragmentation(self, name: str, activations: Line) -> list[Line]:
        """Give what is lost in gaps: a share of the activations, nothing where it is 0."""
        if not self.software.fragmentation:
            return []
        share = field((SCOPE, self.software), "fragmentation", "ratio")
        return [
            combined(
                f"{name}.fragmentation",
                "product",
                (activations, share),
                unit="B",
                tags=about("fragmentation"),
            )
        ]
