"""Collectives inside the layers: tensor, expert-tensor and context parallelism."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.architecture import ONE, GroupView
from dsv3calc.accounting.collective_calls import Desk, Parts, times
from dsv3calc.accounting.rank_order import Span, degree
from dsv3calc.formulas import collectives
from dsv3calc.ledger import Line, combined, computed, field, total
from dsv3calc.schema.model import MLA, MoE

if TYPE_CHECKING:
    from collections.abc import Sequence


def _blocks(desk: Desk) -> list[tuple[GroupView, int]]:
    """Count the tensor-parallel blocks of a layer: attention, and the feed-forward if it is one.

    With sequence parallelism routed experts take their tokens as they lie, so that a layer of
    experts has a second block only where a shared expert is computed where the token is. A dense
    feed-forward that is whole on every GPU is no block.
    """
    found = []
    for view in desk.views:
        feed = view.group.feed_forward
        apart = isinstance(feed, MoE) and desk.layout.sequence_parallel
        shared = isinstance(feed, MoE) and feed.n_shared_experts and (
            desk.layout.shared_experts == "local"
        )  # fmt: skip
        whole = not isinstance(feed, MoE) and desk.layout.is_replicated("dense_ffn")
        found.append((view, 1 if whole or (apart and not shared) else 2))
    return found


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
        if not isinstance(view.group.feed_forward, MoE):
            continue
        name = f"expert_tensor_parallel.{view.prefix}"
        tokens = desk.payload(f"{name}.tokens", desk.hidden, ("cp", "tp"))
        chosen = field(view.feed_forward, "num_experts_per_tok", "1")
        payload = combined(
            f"{desk.prefix}.{name}.payload", "product",
            (tokens, chosen, degree(desk.layout, "etp")),
            convention="tokens spread evenly over the experts",
        )  # fmt: skip
        for primitive in ("all-gather", "reduce-scatter"):
            place = f"{name}.{primitive}"
            calls = desk.layer_calls(place, [(view, 1)], times(place, 2, "forward and backward"))
            found.append(desk.layer_part(place, primitive, payload, span, calls))
    return found


def _width(name: str, heads: Line, channels: Sequence[Line], tp: Line, fewest: Line) -> Line:
    held = computed(f"{name}.heads", collectives.held_heads, heads=heads, tp=tp, fewest=fewest)
    return combined(
        f"{name}.width", "product", (held, total(f"{name}.channels", channels)), unit="elements"
    )


def _widths(desk: Desk, view: GroupView, name: str, form: str, fewest: Line) -> dict[str, Line]:
    """Give the elements of a token that a GPU holds: queries and outputs, keys and values."""
    scope, attend = view.attention, view.group.attention
    tp = degree(desk.layout, "tp")
    heads = field(scope, "num_attention_heads", "1")
    if isinstance(attend, MLA):
        keys = [field(scope, "qk_nope_head_dim"), field(scope, "qk_rope_head_dim")]
        both = [*keys, field(scope, "v_head_dim")]
        queries = _width(f"{name}.queries", heads, both, tp, ONE)
        if form == "latent":
            latent = [field(scope, "kv_lora_rank"), field(scope, "qk_rope_head_dim")]
            return {"queries": queries, "latent": total(f"{name}.latent.width", latent)}
        return {"queries": queries, "keys": _width(f"{name}.keys", heads, both, tp, ONE)}
    both = [field(scope, "head_dim"), field(scope, "head_dim")]
    shared = field(scope, "num_key_value_heads", "1")
    return {
        "queries": _width(f"{name}.queries", heads, both, tp, ONE),
        "keys": _width(f"{name}.keys", shared, both, tp, fewest),
    }


def context_parallel(desk: Desk, form: str) -> Parts:
    """Count what attention sends where a sequence is divided; windows and masks save nothing."""
    found: Parts = []
    span, layout = desk.span("cp"), desk.layout
    exchanged = layout.context_parallel_method == "all-to-all"
    fewest = degree(layout, "cp") if exchanged else ONE
    for view in desk.views:
        name = f"context_parallel.{view.prefix}"
        widths = _widths(desk, view, f"{desk.prefix}.{name}", form, fewest)
        for what, width in widths.items():
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
