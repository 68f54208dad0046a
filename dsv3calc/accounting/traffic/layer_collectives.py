"""Collectives inside the layers: tensor, expert-tensor and context parallelism."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.placement.rank_order import Span, degree
from dsv3calc.accounting.traffic.collective_calls import Desk, Parts, times
from dsv3calc.formulas import collectives
from dsv3calc.ledger.line import Line, combined, computed, total
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from dsv3calc.model.block import Held
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator


def _reduced(desk: Desk, operator: Operator) -> bool:
    """Tell whether the tensor-parallel GPUs add up an operator's output.

    With sequence parallelism routed experts take their tokens as they lie; else all of a token's
    GPUs compute on it. Shared experts and dense feed-forwards may be whole on every GPU.
    """
    layout, component = desk.layout, operator.component
    if "etp" in operator.after:
        return not layout.sequence_parallel
    if component == "shared_experts":
        return layout.shared_experts == "local"
    return "tp" in operator.after and not layout.is_replicated(component)


def _blocks(desk: Desk) -> list[tuple[GroupView, int]]:
    """Count the tensor-parallel blocks of a layer: attention, and the feed-forward if it is one."""
    return [
        (
            view,
            sum(
                any(_reduced(desk, operator) for operator in block.operators("naive"))
                for block in (view.attention, view.feed_forward)
            ),
        )
        for view in desk.views
    ]


def tensor_parallel(desk: Desk) -> Parts:
    """Count the all-reduces of blocks, or the gathers and scatters of sequence parallelism."""
    name = "tensor_parallel"
    payload, span = desk.payload(name, desk.hidden, ("cp",)), desk.span("tp")
    if not desk.layout.sequence_parallel:
        often = times(name, 2, "an all-reduce forward and one backward")
        calls = desk.layer_calls(name, _blocks(desk), often)
        return [desk.layer_part(name, "all-reduce", payload, span, calls)]
    found = []
    for primitive, count, why in (
        ("all-gather", 3, "inputs forward, their gradients' source and the inputs again backward"),
        ("reduce-scatter", 2, "outputs forward, gradients of inputs backward"),
    ):
        place = f"{name}.{primitive}"
        calls = desk.layer_calls(place, _blocks(desk), times(place, count, why))
        found.append(desk.layer_part(place, primitive, payload, span, calls))
    return found


def expert_tensor_parallel(desk: Desk) -> Parts:
    """Count the gathers and scatters around experts whose matrices are divided."""
    found: Parts = []
    span = desk.span("etp")
    for view in desk.views:
        if view.experts is None:
            continue
        name = f"expert_tensor_parallel.{view.prefix}"
        tokens = desk.payload(f"{name}.tokens", desk.hidden, ("cp", "tp"))
        payload = combined(
            f"{desk.prefix}.{name}.payload", "product",
            (tokens, view.experts.chosen, degree(desk.layout, "etp")),
            convention="tokens spread evenly over the experts",
        )  # fmt: skip
        for primitive in ("all-gather", "reduce-scatter"):
            place = f"{name}.{primitive}"
            calls = desk.layer_calls(place, [(view, 1)], times(place, 2, "forward and backward"))
            found.append(desk.layer_part(place, primitive, payload, span, calls))
    return found


def _width(name: str, held: Held, tp: Line, fewest: Line) -> Line:
    """Count the elements of a token that a GPU holds; ``fewest`` heads of those that are shared."""
    if held.heads is None:
        return total(f"{name}.width", held.channels)
    least = fewest if held.grouped else ONE
    heads = computed(f"{name}.heads", collectives.held_heads, heads=held.heads, tp=tp, fewest=least)
    channels = total(f"{name}.channels", held.channels)
    return combined(f"{name}.width", "product", (heads, channels), unit="elements")


def context_parallel(desk: Desk) -> Parts:
    """Count what attention sends where a sequence is divided; windows and masks save nothing."""
    found: Parts = []
    span, layout = desk.span("cp"), desk.layout
    exchanged = layout.context_parallel_method == "all-to-all"
    fewest = degree(layout, "cp") if exchanged else ONE
    for view in desk.views:
        name = f"context_parallel.{view.prefix}"
        for what, held in view.attention.context_widths(desk.mla_context).items():
            width = _width(f"{desk.prefix}.{name}.{what}", held, degree(layout, "tp"), fewest)
            if exchanged and what != "latent":
                place = f"{name}.{what}"
                payload = desk.payload(place, width, ("cp",))
                calls = desk.layer_calls(
                    place, [(view, 1)], times(place, 2, "to heads and back: forward, backward")
                )
                found.append(desk.layer_part(place, "all-to-all", payload, span, calls))
            elif what != "queries":
                found += _passed_on(desk, view, f"{name}.{what}", width, span)
    return found


def _passed_on(desk: Desk, view: GroupView, name: str, width: Line, span: Span) -> Parts:
    """Count keys and values seen by all: forward, again backward, and their gradients back."""
    found = []
    payload = desk.payload(name, width, ())
    ring = desk.layout.context_parallel_method == "ring"
    algorithm = "ring" if ring else desk.algorithm
    for primitive, count, why in (
        ("all-gather", 2, "keys and values forward, and again backward"),
        ("reduce-scatter", 1, "their gradients, added up on the way"),
    ):
        place = f"{name}.{primitive}"
        calls = desk.layer_calls(place, [(view, 1)], times(place, count, why))
        found.append(desk.layer_part(place, primitive, payload, span, calls, algorithm))
    return found
