"""Reduction of gradients over replicas, and the gathers of parameters under ZeRO."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.accounting.placement.gradients import (
    gradient_payloads,
    replicated_payload,
    tied_payload,
)
from dsv3calc.accounting.placement.rank_order import crossed, degree, mirrored_span
from dsv3calc.accounting.traffic.collective_calls import Desk, Parts, has_experts, times
from dsv3calc.formulas import collectives
from dsv3calc.ledger.line import Line, combined, computed, given
from dsv3calc.model.operator import ONE
from dsv3calc.schema.layout import BOTH_ENDS

_GATHERED = 3
"""The ZeRO stage whose parameters are gathered when they are used."""


def data_parallel(desk: Desk) -> Parts:
    """Count the reduction of gradients, and the gathers of parameters under ZeRO."""
    name, zero = "data_parallel", desk.layout.zero
    spans = {"dense": desk.span("data")}
    if has_experts(desk.model):
        spans["experts"] = desk.span("edp")
    if desk.mirrored:
        place = f"{desk.prefix}.span"
        two = given("dualpipe.copies", 2, "1", "each stage stands on two mirrored pipeline ranks")
        pair = mirrored_span(place, desk.layout, desk.node, two)
        spans = {
            what: crossed(f"{place}.{what}_mirrored", [span, pair]) for what, span in spans.items()
        }

    def payloads(what: str, bits: Line) -> dict[str, Line]:
        return gradient_payloads(
            f"{desk.prefix}.{name}.{what}",
            desk.model,
            desk.layout,
            desk.held,
            desk.elements,
            bits,
            desk.copies,
        )

    reduce = "reduce-scatter" if zero else "all-reduce"
    often = desk.micro_batches if desk.gradient_reduction == "micro-batch" else ONE
    rows = [(reduce, payloads("gradients", desk.gradient_bits), often)]
    if zero:
        gathers = ONE
        if zero == _GATHERED:
            twice = times(f"{name}.all-gather", 2, "forward and backward of every micro-batch")
            gathers = combined(
                f"{desk.prefix}.{name}.gathers", "product", (twice, desk.micro_batches), unit="1"
            )
        rows.append(("all-gather", payloads("parameters", desk.parameter_bits), gathers))
    return [
        desk.part(f"{name}.{what}.{primitive}", primitive, payload[what], span, calls)
        for primitive, payload, calls in rows
        for what, span in spans.items()
    ] + [*_replicated(desk), *_tied_embedding(desk)]


def _replicated(desk: Desk) -> Parts:
    """Count the sum over tp of gradients of what each of its GPUs holds whole.

    With sequence parallelism each has seen its share of the tokens alone. Once in a step, as
    Megatron-Core does it (``finalize_model_grads``).
    """
    if not desk.layout.sequence_parallel:
        return []
    name = "data_parallel.replicated"
    payload = replicated_payload(
        f"{desk.prefix}.{name}",
        desk.model,
        desk.held,
        desk.elements,
        desk.gradient_bits,
        desk.copies,
    )
    once = times(name, 1, "once a step, all layers of a GPU together")
    return [desk.part(f"{name}.all-reduce", "all-reduce", payload, desk.span("tp"), once)]


def _tied_embedding(desk: Desk) -> Parts:
    """Count the sum of gradients of an embedding that stands on the first and the last stage.

    Because it is the head too, or MTP's. Once in a step and whole, as Megatron-Core does it
    (``finalize_model_grads``); not where one rank has both ends of the pipeline.
    """
    twice = desk.model.tie_word_embeddings or desk.mtp
    if not twice or desk.layout.schedule in BOTH_ENDS:
        return []
    name = "data_parallel.tied_embedding"
    pp = degree(desk.layout, "pp")
    sole = computed(f"{desk.prefix}.{name}.sole_stage", collectives.sole_stage, pp=pp)
    calls = combined(
        f"{desk.prefix}.{name}.calls",
        "difference",
        (desk.held.embedding, sole),
        unit="1",
        convention="once a step, where the first and the last stage are two",
    )
    two = given("tied_embedding.stages", 2, "1", "the first and the last stage have the embedding")
    ends = mirrored_span(f"{desk.prefix}.{name}", desk.layout, desk.node, two)
    payload = tied_payload(f"{desk.prefix}.{name}", desk.model, desk.layout, desk.gradient_bits)
    return [desk.part(f"{name}.all-reduce", "all-reduce", payload, ends, calls)]
