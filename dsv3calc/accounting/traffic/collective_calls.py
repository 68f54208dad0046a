"""Counting one collective of a layout over a training step: payload, group, calls."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.placement.gradients import held_by_rank, held_on_average, layer_elements
from dsv3calc.accounting.placement.rank_order import GroupPlacement, degree, placement_of
from dsv3calc.accounting.traffic.algorithms import LINKS, CollectiveBytes, sent
from dsv3calc.accounting.traffic.links import rates_of
from dsv3calc.formulas import collectives
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.architecture import architecture_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.placement.stages import Stages
    from dsv3calc.accounting.traffic.links import Links
    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

CollectiveTotals = list[dict[str, Line]]
"""What each collective of a kind sends in a step: bytes by link, messages, times."""


def call_of(kind: str, primitive: str, *, what: str = "", view: GroupView | None = None) -> Tags:
    """Say which collective lines are about: its kind, what it sends, and the layers."""
    return Tags(
        component=kind,
        operator=f"{what}.{primitive}" if what else primitive,
        group="" if view is None else view.prefix,
    )


def name_of_call(prefix: str, tags: Tags) -> str:
    """Return what the names of a collective's own lines begin with."""
    return ".".join(filter(None, (prefix, tags.component, tags.group, tags.operator)))


class CollectiveCall:
    """A collective that a GPU makes in a step: what it moves, over whom, how often."""

    __slots__ = ("algorithm", "calls", "name", "payload", "primitive", "span", "tags")

    def __init__(
        self,
        prefix: str,
        tags: Tags,
        primitive: str,
        payload: Line,
        span: GroupPlacement,
        algorithm: str,
        calls: Line,
    ) -> None:
        self.name = name_of_call(prefix, tags)
        self.tags = tags
        self.primitive = primitive
        self.payload = payload
        self.span = span
        self.algorithm = algorithm
        self.calls = calls

    @property
    def sends(self) -> bool:
        """Whether anything is sent: not by a group of one, nor where there is no call."""
        return all(
            type(value) in (int, float) and value > least
            for value, least in ((self.span.ranks.value, 1), (self.calls.value, 0))
        )


class StepCollectives:
    """What every part of one answer needs: names, sizes, the model and its layers on a GPU."""

    def __init__(
        self, prefix: str, model: Model, layout: Layout, links: dict[str, Links], node: Line,
        sizes: dict[str, Line], choices: dict[str, str], *, mtp: bool,
    ) -> None:  # fmt: skip
        self.beginning = prefix
        self.prefix = f"{prefix}.collectives"
        self.model = model
        self.layout = layout
        self.links = links  # by the name of the time that they give
        self.made: list[CollectiveCall] = []
        self.node = node
        self.algorithm = choices["algorithm"]
        self.mla_context = choices["mla_context"]
        self.gradient_reduction = choices["gradient_reduction"]
        self.sequence = sizes["sequence"]
        self.micro_batches = sizes["micro_batches"]
        self.bits = sizes["activation_bits"]
        self.gradient_bits = sizes["gradient_bits"]
        self.parameter_bits = sizes["parameter_bits"]
        arch = architecture_of(model)
        self.views = [*arch.groups]
        self.mtp = mtp and arch.mtp is not None
        if self.mtp and arch.mtp is not None:
            self.views.append(arch.mtp)
        self.hidden = field(("model", model), "hidden_size")
        self.between_layers = arch.between_layers
        self.mirrored = layout.schedule == "dualpipe"
        self.copies = given(
            "stages_per_gpu", 2 if self.mirrored else 1, "1", f"schedule {layout.schedule}"
        )
        self.elements = layer_elements(f"{self.prefix}.layer", model, self.views, layout)
        self.held = held_on_average(self.prefix, model, layout, self.views)

    def of_rank(self, number: int, split: Stages) -> StepCollectives:
        """Return the same for what a pipeline rank holds instead of the mean."""
        prefix = f"{self.beginning}.rank.{number}"
        counter = copy(self)
        counter.prefix = f"{prefix}.collectives"
        counter.made = []
        rank = given(f"{prefix}.number", number, "1", "pipeline rank from 0")
        counter.held = held_by_rank(prefix, split, rank, self.copies, f"pipeline rank {number}")
        return counter

    def span(self, group: str) -> GroupPlacement:
        """Return how a group of the layout lies on nodes."""
        return placement_of(f"{self.prefix}.span", self.layout, group, self.node)

    def payload(
        self, name: str, width: Line, axes: Sequence[str], bits: Line | None = None
    ) -> Line:
        """Give the bytes of a micro-batch's activations, the tokens divided over ``axes``."""
        split = [degree(self.layout, axis) for axis in axes]
        return computed(
            f"{self.prefix}.{name}.payload",
            collectives.activation_payload,
            ("layout", self.layout),
            sequence=self.sequence,
            width=width,
            bits=bits or self.bits,
            split=combined(f"{self.prefix}.{name}.token_split", "product", split, unit="1"),
        )

    def tokens_of_block(self) -> tuple[str, ...]:
        """Return the axes that the tokens between two blocks are divided over."""
        return ("cp", "tp") if self.layout.sequence_parallel else ("cp",)

    def layer_calls(self, name: str, blocks: Sequence[tuple[GroupView, int]], times: Line) -> Line:
        """Count the calls of the held layers' blocks in a step."""
        name = f"{self.prefix}.{name}"
        layers = dict(zip(self.views, self.held.layers, strict=True))
        counted = [
            combined(
                f"{name}.blocks.{view.prefix}", "product",
                (layers[view], given(f"{name}.blocks_per_layer", number, "1")),
            )
            for view, number in blocks
        ]  # fmt: skip
        of_layers = total(f"{name}.blocks", counted, unit="1")
        return combined(
            f"{name}.calls", "product", (of_layers, times, self.micro_batches), unit="1"
        )

    def layer_part(
        self,
        name: str,
        primitive: str,
        payload: Line,
        span: GroupPlacement,
        calls: Line,
        tags: Tags,
        algorithm: str = "",
    ) -> dict[str, Line]:
        """Count a collective of layers: the calls of all stages, of which a GPU makes its share."""
        full, stages = f"{self.prefix}.{name}", self.held.stages
        here = combined(f"{full}.calls_of_a_stage", "ratio", (calls, stages), unit="1")
        made = CollectiveCall(
            self.prefix, tags, primitive, payload, span, algorithm or self.algorithm, here
        )
        self.made.append(made)
        return self.step(full, sent(full, primitive, payload, span, made.algorithm), calls, stages)

    def part(
        self,
        name: str,
        primitive: str,
        payload: Line,
        span: GroupPlacement,
        calls: Line,
        tags: Tags,
    ) -> dict[str, Line]:
        """Count one collective over a step: bytes by link, messages, time."""
        full = f"{self.prefix}.{name}"
        self.made.append(
            CollectiveCall(self.prefix, tags, primitive, payload, span, self.algorithm, calls)
        )
        return self.step(full, sent(full, primitive, payload, span, self.algorithm), calls)

    def step(
        self, name: str, call: CollectiveBytes, calls: Line, stages: Line | None = None
    ) -> dict[str, Line]:
        """Multiply one call by the calls of a step, of which a GPU makes one in ``stages``."""

        def over_step(what: str, one: Line, unit: str) -> Line:
            if stages is None:
                return combined(f"{name}.{what}", "product", (one, calls), unit=unit)
            every = combined(f"{name}.{what}_of_all_stages", "product", (one, calls), unit=unit)
            return combined(
                f"{name}.{what}", "ratio", (every, stages), unit=unit,
                convention=self.held.words,
            )  # fmt: skip

        moved = {link: over_step(f"{link}_bytes", call.bytes[link], "B") for link in LINKS}
        messages = {link: over_step(f"{link}_messages", call.messages[link], "1") for link in LINKS}
        lines = {f"{link}_bytes": line for link, line in moved.items()}
        lines["messages"] = total(f"{name}.messages", list(messages.values()), unit="1")
        for what, links in self.links.items():
            place = _of_links(name, what)
            lines[what] = links.time(place, moved, messages, overlapped=call.overlapped)
        return lines


def _of_links(name: str, what: str) -> str:
    """Return what the name of a time begins with: that of nominal links has no word for them."""
    return name if what == "time" else f"{name}.achieved"


def times(name: str, count: int, why: str) -> Line:
    """Return how often a block calls a collective for a micro-batch, and when."""
    return given(f"{name}.times", count, "1", why)


def rate_lines(made: CollectiveCall, links: dict[str, Links]) -> list[Line]:
    """Give what a benchmark would print of one collective of a layout.

    Parameters
    ----------
    made
        The collective.
    links
        Links by the name of the time that they give: ``time``, ``achieved.time``.

    Returns
    -------
    Lines ``NAME.payload_bytes`` [B], ``.calls_per_gpu`` in a step, and of one call by itself
    ``NAME.call.algorithm_bandwidth`` and ``.call.bus_bandwidth`` [B/s], over the time that is
    their argument; with the achieved bandwidth of the links ``NAME.call.achieved.bus_bandwidth``
    and so on.
    """
    lines = [
        total(
            f"{made.name}.payload_bytes",
            (made.payload,),
            convention="of one call, the whole tensor",
            tags=msgspec.structs.replace(made.tags, quantity="payload_bytes"),
        ),
        total(f"{made.name}.calls_per_gpu", (made.calls,), convention="in a step", tags=made.tags),
    ]
    for what, each in links.items():
        prefix = _of_links(f"{made.name}.call", what)
        rates = rates_of(
            prefix, made.primitive, made.payload, made.span, made.algorithm, each, made.tags
        )
        lines += (rates.algorithm_bandwidth, rates.bus_bandwidth)
    return lines
