"""The collectives of a layout, per GPU and training step: all but the experts' all-to-all.

Numbers are those of the busiest GPU of each kind: a pipeline rank at the edge of a node, the stage
with the head. Kinds overlap with each other and with computation, so their times are not added.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.algorithms import LINKS, Links, Sent, check_algorithm
from dsv3calc.accounting.architecture import ONE
from dsv3calc.accounting.collective_calls import Desk, Parts, times
from dsv3calc.accounting.gradients import gradient_payloads
from dsv3calc.accounting.layer_collectives import (
    context_parallel,
    expert_tensor_parallel,
    tensor_parallel,
)
from dsv3calc.accounting.rank_order import (
    check_pipeline,
    crossed,
    degree,
    gpus_per_node,
    mirrored_span,
)
from dsv3calc.errors import UsageError
from dsv3calc.formulas import collectives
from dsv3calc.ledger import Line, combined, computed, given, total
from dsv3calc.schema.model import MLA, MoE

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

KINDS = (
    "tensor_parallel",
    "expert_tensor_parallel",
    "context_parallel",
    "pipeline",
    "vocabulary_layers",
    "vocabulary_loss",
    "data_parallel",
)
"""In the order of the lines."""

MLA_CONTEXT = {
    "latent": "ring and all-gather pass on kv_lora_rank + qk_rope_head_dim elements of a token",
    "expanded": "they pass on the keys and values of every head that a GPU holds",
}
"""What context parallelism passes on for MLA."""

GRADIENT_REDUCTION = {
    "step": "gradients of all micro-batches are added up before they are reduced once",
    "micro-batch": "every micro-batch reduces its own: a GPU keeps only its share of gradients",
}
"""When gradients are reduced."""

_GATHERED = 3
"""The ZeRO stage whose parameters are gathered when they are used."""

_V_SHAPED = ("zbv", "dualpipev")
_SCALAR_BITS = given("loss.bits", 32, "bit", "FP32")


def _pipeline(desk: Desk) -> Parts:
    """Count activations forward and gradients backward of the rank at the edge of a node."""
    name, layout = f"{desk.prefix}.pipeline", desk.layout
    payload = desk.payload("pipeline", desk.hidden, desk.tokens_of_block())
    scope = ("layout", layout)
    if layout.schedule in _V_SHAPED:
        chunks = given(f"{name}.chunks", 2, "1", "down the ranks and back up: a V")
        once = computed(
            f"{name}.sends_per_chunk", collectives.pipeline_sends, scope, virtual_pipeline=ONE
        )
        sends = combined(f"{name}.sends", "product", (once, chunks))
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


def _vocabulary_layers(desk: Desk) -> Parts:
    """Count the embedding's and the head's collectives on the stage with the head."""
    if not desk.layout.vocabulary_parallel:
        return []
    name, span, batches = "vocabulary_layers", desk.span("tp"), _end_batches(desk)
    payload = desk.payload(name, desk.hidden, ("cp",))
    sole = ONE  # a GPU at either end of DualPipe has both
    if not desk.mirrored:
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
        found.append(desk.part(place, primitive, payload, span, calls))
    return found


def _vocabulary_loss(desk: Desk) -> Parts:
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
    return [desk.part(name, "all-reduce", payload, desk.span("tp"), calls)]


def _data_parallel(desk: Desk, reduction: str) -> Parts:
    """Count the reduction of gradients, and the gathers of parameters under ZeRO."""
    name, zero = "data_parallel", desk.layout.zero
    spans = {"dense": desk.span("data")}
    if has_experts(desk.model):
        spans["experts"] = desk.span("edp")
    if desk.mirrored:
        place = f"{desk.prefix}.span"
        pair = mirrored_span(place, desk.layout, desk.node)
        spans = {
            what: crossed(f"{place}.{what}_mirrored", [span, pair]) for what, span in spans.items()
        }

    def payloads(what: str, bits: Line) -> dict[str, Line]:
        return gradient_payloads(
            f"{desk.prefix}.{name}.{what}",
            desk.model,
            desk.layout,
            bits,
            mtp=desk.mtp,
            copies=desk.copies,
        )

    reduce = "reduce-scatter" if zero else "all-reduce"
    often = desk.micro_batches if reduction == "micro-batch" else ONE
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
    ]


def has_experts(model: Model) -> bool:
    """Tell whether any layer of a model has routed experts."""
    return any(isinstance(group.feed_forward, MoE) for group in model.groups)


def collective_assumptions(model: Model, layout: Layout, hardware: Hardware) -> list[str]:
    """List in words what the lines take for granted, for the reader of the numbers."""
    found = [
        "layers divide evenly among pipeline stages; embedding first, final norm and head last",
        (
            "GPUs are numbered in rank_order and fill nodes in turn; etp stands where tp does, "
            "ep and edp regroup tp x cp x dp"
        ),
        "nothing is recomputed, and collectives overlap with nothing: times are bounds of each",
    ]
    domain = hardware.scale_up.domain_size
    used = gpus_per_node(layout, domain, experts=has_experts(model))
    if type(used) is int and domain is not None and used < min(domain, layout.gpus):
        found.append(
            f"{used} GPUs of each scale-up domain of {domain} are used: groups fill them evenly"
        )
    if layout.schedule == "dualpipe":
        found.append("each stage stands on two mirrored pipeline ranks, reduced over both")
    if any(isinstance(group.attention, MLA) for group in model.groups) and layout.tp != 1:
        found.append("MLA gathers the hidden state over tp, not its narrower latents")
    return found


def collective_lines(
    prefix: str,
    model: Model,
    layout: Layout,
    *,
    hardware: Hardware,
    sequence: Any,
    micro_batches: Any,
    activation_bits: Any = 16,
    gradient_bits: Any = 32,
    parameter_bits: Any = 16,
    algorithm: str = "ring",
    mla_context: str = "latent",
    gradient_reduction: str | None = None,
    bandwidth: str = "nominal",
    latencies: dict[str, float] | None = None,
    mtp: bool = False,
) -> list[Line]:
    """Count the collectives of a layout.

    Parameters
    ----------
    prefix
        What the lines' names begin with.
    model, layout, hardware
        Their numbers may be ints, arrays or symbols; ``layout.gpus`` of them share the work.
    sequence, micro_batches
        Tokens of a sequence; micro-batches of one replica in a step.
    activation_bits, gradient_bits, parameter_bits
        Widths as sent.
    algorithm
        One of ``algorithms.ALGORITHMS``.
    mla_context, gradient_reduction
        One of :data:`MLA_CONTEXT`; one of :data:`GRADIENT_REDUCTION`, by default ``step`` for ZeRO
        0 and 1 and ``micro-batch`` for 2 and 3.
    bandwidth, latencies
        ``nominal`` or ``achieved``; seconds of a message by link, None to leave them out.
    mtp
        Whether MTP modules count, as layers spread over the stages like the others.

    Returns
    -------
    For each of :data:`KINDS` the lines ``PREFIX.collectives.KIND.scale_up_bytes``,
    ``.scale_out_bytes`` [B sent], ``.messages`` and ``.time`` [s], per GPU and step.

    Raises
    ------
    UsageError
        If a name is unknown, the order of ranks forms no pipeline, or bytes leave a node of
        hardware without a scale-out link.
    """
    check_algorithm(algorithm)
    reduction = gradient_reduction or ("micro-batch" if layout.zero > 1 else "step")
    for option, value, choices in (
        ("mla_context", mla_context, MLA_CONTEXT),
        ("gradient_reduction", reduction, GRADIENT_REDUCTION),
    ):
        if value not in choices:
            raise UsageError(f"unknown {option} '{value}'", f"choose from {', '.join(choices)}")
    check_pipeline(layout, experts=has_experts(model))
    domain = hardware.scale_up.domain_size
    sizes = {
        "sequence": given("workload.sequence", sequence, "tokens"),
        "micro_batches": given("workload.micro_batches", micro_batches, "1", "of one replica"),
        "activation_bits": given("workload.activation_bits", activation_bits, "bit"),
        "gradient_bits": given("workload.gradient_bits", gradient_bits, "bit"),
        "parameter_bits": given("workload.parameter_bits", parameter_bits, "bit"),
    }
    used = gpus_per_node(layout, domain, experts=has_experts(model))
    node = given(f"{prefix}.gpus_per_node", used, "1", f"GPUs used of each domain of {domain}")
    links = Links(hardware, bandwidth, latencies)
    desk = Desk(prefix, model, layout, links, node, sizes, algorithm, mtp=mtp)
    parts = {
        "tensor_parallel": tensor_parallel(desk),
        "expert_tensor_parallel": expert_tensor_parallel(desk),
        "context_parallel": context_parallel(desk, mla_context),
        "pipeline": _pipeline(desk),
        "vocabulary_layers": _vocabulary_layers(desk),
        "vocabulary_loss": _vocabulary_loss(desk),
        "data_parallel": _data_parallel(desk, reduction),
    }
    units = {**{f"{link}_bytes": "B" for link in LINKS}, "messages": "1", "time": "s"}
    return [
        total(
            f"{desk.prefix}.{kind}.{what}",
            [part[what] for part in parts[kind]],
            unit=unit,
            convention=links.convention if what == "time" else f"{algorithm}, per GPU and step",
        )
        for kind in KINDS
        for what, unit in units.items()
    ]
