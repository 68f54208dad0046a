"""Reduction of gradients over replicas, and the gathers of parameters under ZeRO."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.accounting.placement.gradients import (
    gradient_payloads,
    replicated_payload,
    tied_payload,
)
from dsv3calc.accounting.placement.rank_order import crossed, degree, mirrored_span
from dsv3calc.accounting.traffic.collective_calls import (
    CollectiveTotals,
    StepCollectives,
    call_of,
    times,
)
from dsv3calc.formulas import collectives
from dsv3calc.ledger.line import Line, combined, computed, given
from dsv3calc.model.architecture import has_experts
from dsv3calc.model.operator import ONE
from dsv3calc.schema.layout import BOTH_ENDS

_KIND = "data_parallel"
_GATHERED = 3
"""The ZeRO stage whose parameters are gathered when they are used."""


def data_parallel(counter: StepCollectives) -> CollectiveTotals:
    """Count the reduction of gradients, and the gathers of parameters under ZeRO."""
    name, zero = _KIND, counter.layout.zero
    spans = {"dense": counter.span("data")}
    if has_experts(counter.model):
        spans["experts"] = counter.span("edp")
    if counter.mirrored:
        place = f"{counter.prefix}.span"
        two = given("dualpipe.copies", 2, "1", "each stage is on two mirrored pipeline ranks")
        pair = mirrored_span(place, counter.layout, counter.node, two)
        spans = {
            what: crossed(f"{place}.{what}_mirrored", [span, pair]) for what, span in spans.items()
        }

    def payloads(what: str, bits: Line) -> dict[str, Line]:
        return gradient_payloads(
            f"{counter.prefix}.{name}.{what}",
            counter.model,
            counter.layout,
            counter.held,
            counter.elements,
            bits,
            counter.copies,
        )

    reduce = "reduce-scatter" if zero else "all-reduce"
    often = counter.micro_batches if counter.gradient_reduction == "micro-batch" else ONE
    rows = [(reduce, payloads("gradients", counter.gradient_bits), often)]
    if zero:
        gathers = ONE
        if zero == _GATHERED:
            twice = times(f"{name}.all-gather", 2, "forward and backward of every micro-batch")
            gathers = combined(
                f"{counter.prefix}.{name}.gathers",
                "product",
                (twice, counter.micro_batches),
                unit="1",
            )
        rows.append(("all-gather", payloads("parameters", counter.parameter_bits), gathers))
    return [
        counter.part(
            f"{name}.{what}.{primitive}",
            primitive,
            payload[what],
            span,
            calls,
            call_of(name, primitive, what=what),
        )
        for primitive, payload, calls in rows
        for what, span in spans.items()
    ] + [*_replicated(counter), *_tied_embedding(counter)]


def _replicated(counter: StepCollectives) -> CollectiveTotals:
    """Count the sum over tp of gradients of what each of its GPUs holds whole.

    With sequence parallelism each has seen its share of the tokens alone. Once in a step, as
    Megatron-Core does it (``finalize_model_grads``).
    """
    if not counter.layout.sequence_parallel:
        return []
    what = "replicated"
    name = f"{_KIND}.{what}"
    payload = replicated_payload(
        f"{counter.prefix}.{name}",
        counter.model,
        counter.held,
        counter.elements,
        counter.gradient_bits,
        counter.copies,
    )
    once = times(name, 1, "once a step, all layers of a GPU together")
    tags = call_of(_KIND, "all-reduce", what=what)
    return [
        counter.part(f"{name}.all-reduce", "all-reduce", payload, counter.span("tp"), once, tags)
    ]


def _tied_embedding(counter: StepCollectives) -> CollectiveTotals:
    """Count the sum of gradients of an embedding that is on the first and the last stage.

    Because it is the head too, or MTP's. Once in a step and whole, as Megatron-Core does it
    (``finalize_model_grads``); not where one rank has both ends of the pipeline.
    """
    twice = counter.model.tie_word_embeddings or counter.mtp
    if not twice or counter.layout.schedule in BOTH_ENDS:
        return []
    what = "tied_embedding"
    name = f"{_KIND}.{what}"
    pp = degree(counter.layout, "pp")
    sole = computed(f"{counter.prefix}.{name}.sole_stage", collectives.sole_stage, pp=pp)
    calls = combined(
        f"{counter.prefix}.{name}.calls",
        "difference",
        (counter.held.embedding, sole),
        unit="1",
        convention="once a step, where the first and the last stage are two",
    )
    two = given("tied_embedding.stages", 2, "1", "the first and the last stage have the embedding")
    ends = mirrored_span(f"{counter.prefix}.{name}", counter.layout, counter.node, two)
    payload = tied_payload(
        f"{counter.prefix}.{name}", counter.model, counter.layout, counter.gradient_bits
    )
    tags = call_of(_KIND, "all-reduce", what=what)
    return [counter.part(f"{name}.all-reduce", "all-reduce", payload, ends, calls, tags)]
