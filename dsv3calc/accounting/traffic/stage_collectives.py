"""Collectives between and at the ends of pipeline stages: activations, embedding, head, loss."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.placement.schedules import CHUNKS_OF_A_V
from dsv3calc.accounting.traffic.algorithms import Sent
from dsv3calc.accounting.traffic.collective_calls import Desk, Parts, call_of, times
from dsv3calc.formulas import collectives
from dsv3calc.ledger.line import Line, combined, computed, given
from dsv3calc.model.operator import ONE
from dsv3calc.schema.layout import BOTH_ENDS, FOLDED

_SCALAR_BITS = given("loss.bits", 32, "bit", "FP32")


def pipeline(desk: Desk) -> Parts:
    """Count activations forward and gradients backward of the rank at the edge of a node."""
    name, layout = f"{desk.prefix}.pipeline", desk.layout
    payload = desk.payload("pipeline", desk.hidden, desk.tokens_of_block())
    scope = ("layout", layout)
    if layout.schedule in FOLDED:
        once = computed(
            f"{name}.sends_per_chunk", collectives.pipeline_sends, scope, virtual_pipeline=ONE
        )
        sends = combined(f"{name}.sends", "product", (once, CHUNKS_OF_A_V))
    else:
        sends = computed(f"{name}.sends", collectives.pipeline_sends, scope)
    span = desk.span("pp")
    share = computed(
        f"{name}.crossing_share",
        collectives.pipeline_crossing_share,
        members=span.members,
        nodes=span.nodes,
    )
    out = combined(f"{name}.scale_out_sends", "product", (sends, share), unit="1")
    messages = {
        "scale_up": combined(f"{name}.scale_up_sends", "difference", (sends, out)),
        "scale_out": out,
    }
    moved = {
        link: combined(f"{name}.{link}_bytes_per_micro_batch", "product", (payload, line))
        for link, line in messages.items()
    }
    return [desk.step(f"{name}.point-to-point", Sent(moved, messages), desk.micro_batches)]


def _end_batches(desk: Desk) -> Line:
    """Count the micro-batches whose last stage is on one GPU: half under DualPipe."""
    if not desk.mirrored:
        return desk.micro_batches
    return combined(
        f"{desk.prefix}.end_micro_batches",
        "ratio",
        (desk.micro_batches, desk.copies),
        unit="1",
        convention="half of the micro-batches enter at either end",
    )


def vocabulary_layers(desk: Desk) -> Parts:
    """Count the embedding's and the head's collectives on the stage with the head."""
    if not desk.layout.vocabulary_parallel:
        return []
    name, span, batches = "vocabulary_layers", desk.span("tp"), _end_batches(desk)
    payload = desk.payload(name, desk.hidden, ("cp",))
    sole = ONE  # one rank has both ends
    if desk.layout.schedule not in BOTH_ENDS:
        place = f"{desk.prefix}.{name}.sole_stage"
        sole = computed(place, collectives.sole_stage, pp=degree(desk.layout, "pp"))
    if desk.layout.sequence_parallel:
        rows = [
            ("head", "all-gather", 2, "its input forward, and again backward", ONE),
            ("head", "reduce-scatter", 1, "gradients of its input", ONE),
            ("embedding", "reduce-scatter", 1, "its rows forward", sole),
            ("embedding", "all-gather", 1, "their gradients backward", sole),
        ]
    else:
        rows = [
            ("head", "all-reduce", 1, "gradients of its input", ONE),
            ("embedding", "all-reduce", 1, "its rows forward", sole),
        ]
    found = []
    for where, primitive, count, why, here in rows:
        place = f"{name}.{where}.{primitive}"
        often = (times(place, count, why), here, batches)
        calls = combined(f"{desk.prefix}.{place}.calls", "product", often, unit="1")
        tags = call_of(name, primitive, what=where)
        found.append(desk.part(place, primitive, payload, span, calls, tags))
    return found


def vocabulary_loss(desk: Desk) -> Parts:
    """Count the reductions of the cross-entropy over a divided vocabulary, a scalar per token."""
    if not desk.layout.vocabulary_parallel:
        return []
    name = "vocabulary_loss"
    why = "the largest logit, the target's logit and the sum of exponentials"
    calls = combined(
        f"{desk.prefix}.{name}.calls",
        "product",
        (times(name, 3, why), _end_batches(desk)),
        unit="1",
    )
    payload = desk.payload(name, given("loss.width", 1, "elements"), ("cp",), _SCALAR_BITS)
    tags = call_of(name, "all-reduce")
    return [desk.part(name, "all-reduce", payload, desk.span("tp"), calls, tags)]
