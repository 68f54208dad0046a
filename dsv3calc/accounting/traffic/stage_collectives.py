"""Collectives between and at the ends of pipeline stages: activations, embedding, head, loss."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.placement.schedules import CHUNKS_OF_A_V
from dsv3calc.accounting.traffic.algorithms import CollectiveBytes
from dsv3calc.accounting.traffic.collective_calls import (
    CollectiveTotals,
    StepCollectives,
    call_of,
    times,
)
from dsv3calc.formulas import collectives
from dsv3calc.ledger.line import Line, combined, computed, given
from dsv3calc.model.operator import ONE
from dsv3calc.schema.layout import BOTH_ENDS, FOLDED

_SCALAR_BITS = given("loss.bits", 32, "bit", "FP32")


def pipeline(counter: StepCollectives) -> CollectiveTotals:
    """Count activations forward and gradients backward of the rank at the edge of a node."""
    name, layout = f"{counter.prefix}.pipeline", counter.layout
    payload = counter.payload("pipeline", counter.between_layers, counter.tokens_of_block())
    scope = ("layout", layout)
    if layout.schedule in FOLDED:
        once = computed(
            f"{name}.sends_per_chunk", collectives.pipeline_sends, scope, virtual_pipeline=ONE
        )
        sends = combined(f"{name}.sends", "product", (once, CHUNKS_OF_A_V))
    else:
        sends = computed(f"{name}.sends", collectives.pipeline_sends, scope)
    span = counter.span("pp")
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
    return [
        counter.step(
            f"{name}.point-to-point", CollectiveBytes(moved, messages), counter.micro_batches
        )
    ]


def _end_batches(counter: StepCollectives) -> Line:
    """Count the micro-batches whose last stage is on one GPU: half under DualPipe."""
    if not counter.mirrored:
        return counter.micro_batches
    return combined(
        f"{counter.prefix}.end_micro_batches",
        "ratio",
        (counter.micro_batches, counter.copies),
        unit="1",
        convention="half of the micro-batches enter at either end",
    )


def vocabulary_layers(counter: StepCollectives) -> CollectiveTotals:
    """Count the embedding's and the head's collectives on the stage with the head."""
    if not counter.layout.vocabulary_parallel:
        return []
    name, span, batches = "vocabulary_layers", counter.span("tp"), _end_batches(counter)
    payload = counter.payload(name, counter.hidden, ("cp",))
    sole = ONE  # one rank has both ends
    if counter.layout.schedule not in BOTH_ENDS:
        place = f"{counter.prefix}.{name}.sole_stage"
        sole = computed(place, collectives.sole_stage, pp=degree(counter.layout, "pp"))
    if counter.layout.sequence_parallel:
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
        calls = combined(f"{counter.prefix}.{place}.calls", "product", often, unit="1")
        tags = call_of(name, primitive, what=where)
        found.append(counter.part(place, primitive, payload, span, calls, tags))
    return found


def vocabulary_loss(counter: StepCollectives) -> CollectiveTotals:
    """Count the reductions of the cross-entropy over a divided vocabulary, a scalar per token."""
    if not counter.layout.vocabulary_parallel:
        return []
    name = "vocabulary_loss"
    why = "the largest logit, the target's logit and the sum of exponentials"
    calls = combined(
        f"{counter.prefix}.{name}.calls",
        "product",
        (times(name, 3, why), _end_batches(counter)),
        unit="1",
    )
    payload = counter.payload(name, given("loss.width", 1, "elements"), ("cp",), _SCALAR_BITS)
    tags = call_of(name, "all-reduce")
    return [counter.part(name, "all-reduce", payload, counter.span("tp"), calls, tags)]
