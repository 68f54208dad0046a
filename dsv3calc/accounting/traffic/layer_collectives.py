"""Collectives inside the layers: tensor, expert-tensor and context parallelism."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.placement.rank_order import GroupPlacement, degree
from dsv3calc.accounting.traffic.collective_calls import (
    CollectiveTotals,
    StepCollectives,
    call_of,
    times,
)
from dsv3calc.formulas import collectives
from dsv3calc.ledger.line import Line, combined, computed, total
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from dsv3calc.model.block import Held
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator
    from dsv3calc.schema.layout import Layout

_CONTEXT = "context_parallel"


def _is_reduced(layout: Layout, operator: Operator) -> bool:
    """Tell whether the tensor-parallel GPUs add up an operator's output.

    With sequence parallelism routed experts take their tokens as they lie; else all of a token's
    GPUs compute on it. Shared experts and dense feed-forwards may be whole on every GPU.
    """
    component = operator.component
    if "etp" in operator.after:
        return not layout.sequence_parallel
    if component == "shared_experts":
        return layout.shared_experts == "local"
    return "tp" in operator.after and not layout.is_replicated(component)


def reduced_blocks(view: GroupView, layout: Layout) -> int:
    """Count the tensor-parallel blocks of a layer: its parts whose outputs GPUs add up."""
    return sum(
        any(_is_reduced(layout, operator) for operator in block.operators("naive"))
        for block in (view.attention, view.mixer, view.feed_forward)
    )


def _blocks(counter: StepCollectives) -> list[tuple[GroupView, int]]:
    return [(view, reduced_blocks(view, counter.layout)) for view in counter.views]


def tensor_parallel(counter: StepCollectives) -> CollectiveTotals:
    """Count the all-reduces of blocks, or the gathers and scatters of sequence parallelism."""
    name = "tensor_parallel"
    payload, span = counter.payload(name, counter.hidden, ("cp",)), counter.span("tp")
    if not counter.layout.sequence_parallel:
        often = times(name, 2, "an all-reduce forward and one backward")
        calls = counter.layer_calls(name, _blocks(counter), often)
        tags = call_of(name, "all-reduce")
        return [counter.layer_part(name, "all-reduce", payload, span, calls, tags)]
    found = []
    for primitive, count, why in (
        ("all-gather", 3, "inputs forward, their gradients' source and the inputs again backward"),
        ("reduce-scatter", 2, "outputs forward, gradients of inputs backward"),
    ):
        place = f"{name}.{primitive}"
        calls = counter.layer_calls(place, _blocks(counter), times(place, count, why))
        tags = call_of(name, primitive)
        found.append(counter.layer_part(place, primitive, payload, span, calls, tags))
    return found


def expert_tensor_parallel(counter: StepCollectives) -> CollectiveTotals:
    """Count the gathers and scatters around experts whose matrices are divided."""
    found: CollectiveTotals = []
    span = counter.span("etp")
    for view in counter.views:
        if view.experts is None:
            continue
        kind = "expert_tensor_parallel"
        name = f"{kind}.{view.prefix}"
        tokens = counter.payload(f"{name}.tokens", counter.hidden, ("cp", "tp"))
        payload = combined(
            f"{counter.prefix}.{name}.payload", "product",
            (tokens, view.experts.chosen, degree(counter.layout, "etp")),
            convention="tokens spread evenly over the experts",
        )  # fmt: skip
        for primitive in ("all-gather", "reduce-scatter"):
            place = f"{name}.{primitive}"
            calls = counter.layer_calls(place, [(view, 1)], times(place, 2, "forward and backward"))
            tags = call_of(kind, primitive, view=view)
            found.append(counter.layer_part(place, primitive, payload, span, calls, tags))
    return found


def width_held(name: str, held: Held, tp: Line, fewest: Line) -> Line:
    """Count the elements of a token that a GPU holds; ``fewest`` heads of those that are shared."""
    if held.heads is None:
        return total(f"{name}.width", held.channels)
    least = fewest if held.grouped else ONE
    heads = computed(f"{name}.heads", collectives.held_heads, heads=held.heads, tp=tp, fewest=least)
    channels = total(f"{name}.channels", held.channels)
    return combined(f"{name}.width", "product", (heads, channels), unit="elements")


def context_parallel(counter: StepCollectives) -> CollectiveTotals:
    """Count what attention sends where a sequence is divided; windows and masks save nothing."""
    found: CollectiveTotals = []
    span, layout = counter.span("cp"), counter.layout
    exchanged = layout.context_parallel_method == "all-to-all"
    fewest = degree(layout, "cp") if exchanged else ONE
    for view in counter.views:
        if view.mixer.present and layout.cp != 1:
            raise view.mixer.refusal("what context parallelism exchanges")
        if not view.attention.present:
            continue
        name = f"{_CONTEXT}.{view.prefix}"
        for what, held in view.attention.context_widths(counter.mla_context).items():
            width = width_held(
                f"{counter.prefix}.{name}.{what}", held, degree(layout, "tp"), fewest
            )
            if exchanged and what != "latent":
                place = f"{name}.{what}"
                payload = counter.payload(place, width, ("cp",))
                calls = counter.layer_calls(
                    place, [(view, 1)], times(place, 2, "to heads and back: forward, backward")
                )
                tags = call_of(_CONTEXT, "all-to-all", what=what, view=view)
                found.append(counter.layer_part(place, "all-to-all", payload, span, calls, tags))
            elif what != "queries":
                found += _passed_on(counter, view, what, width, span)
    return found


def _passed_on(
    counter: StepCollectives, view: GroupView, what: str, width: Line, span: GroupPlacement
) -> CollectiveTotals:
    """Count keys and values seen by all: forward, again backward, and their gradients back."""
    found = []
    name = f"{_CONTEXT}.{view.prefix}.{what}"
    payload = counter.payload(name, width, ())
    ring = counter.layout.context_parallel_method == "ring"
    algorithm = "ring" if ring else counter.algorithm
    for primitive, count, why in (
        ("all-gather", 2, "keys and values forward, and again backward"),
        ("reduce-scatter", 1, "their gradients, added up on the way"),
    ):
        place = f"{name}.{primitive}"
        calls = counter.layer_calls(place, [(view, 1)], times(place, count, why))
        tags = call_of(_CONTEXT, primitive, what=what, view=view)
        found.append(counter.layer_part(place, primitive, payload, span, calls, tags, algorithm))
    return found
