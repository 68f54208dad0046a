"""The collectives of a layout, per GPU and training step: all but the experts' all-to-all.

Numbers are those of the busiest GPU of each kind: a pipeline rank at the edge of a node, the stage
with the head. Kinds overlap with each other and with computation, so their times are not added.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.placement.rank_order import check_pipeline, gpus_per_node
from dsv3calc.accounting.traffic.algorithms import LINKS, check_algorithm
from dsv3calc.accounting.traffic.collective_calls import Desk, has_experts, rate_lines
from dsv3calc.accounting.traffic.data_parallel import data_parallel
from dsv3calc.accounting.traffic.layer_collectives import (
    context_parallel,
    expert_tensor_parallel,
    tensor_parallel,
)
from dsv3calc.accounting.traffic.links import Links, measured
from dsv3calc.accounting.traffic.stage_collectives import (
    pipeline,
    vocabulary_layers,
    vocabulary_loss,
)
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Line, given, total
from dsv3calc.model.architecture import architecture_of

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
    "latent": "ring and all-gather send kv_lora_rank + qk_rope_head_dim elements per token",
    "expanded": "they send the keys and values of every head that a GPU holds",
}
"""What context parallelism passes on for MLA."""

GRADIENT_REDUCTION = {
    "step": "gradients of all micro-batches are added up, then reduced once",
    "micro-batch": "gradients are reduced in every micro-batch: a GPU keeps only its shard",
}
"""When gradients are reduced."""


def collective_assumptions(model: Model, layout: Layout, hardware: Hardware) -> list[str]:
    """List the assumptions of the lines in words."""
    found = [
        (
            "other collectives: a GPU has the mean of the layers of all stages, whatever the layer "
            "split; embedding on the first stage, final norm and head on the last"
        ),
        (
            f"rank order {'-'.join(layout.rank_order)} (rank_order), nodes filled one after "
            "another; etp takes tp's place; ep and edp partition tp x cp x dp"
        ),
        "no recomputation; no overlap between collectives: each time is a bound of one alone",
    ]
    domain = hardware.scale_up.domain_size
    used = gpus_per_node(layout, domain, experts=has_experts(model))
    if type(used) is int and domain is not None and used < min(domain, layout.gpus):
        found.append(
            f"{used} GPUs of each scale-up domain of {domain} are used: groups fill them evenly"
        )
    if layout.schedule == "dualpipe":
        found.append(
            "DualPipe: two mirrored ranks hold each stage; gradients are reduced over both"
        )
    if layout.tp != 1 and any(view.attention.forms for view in architecture_of(model).groups):
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
    rates: bool = False,
) -> list[Line]:
    """Count the collectives of a layout.

    Parameters
    ----------
    prefix
        What the lines' names begin with.
    model, layout, hardware
        Their numbers may be ints, arrays or symbols; ``layout.gpus`` of them share the work.
    sequence, micro_batches
        Tokens of a sequence; micro-batches of one replica in a step, or the line that counts them.
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
    rates
        Whether each collective's own payload and bandwidths are given too: of ints alone.

    Returns
    -------
    For each of :data:`KINDS` the lines ``PREFIX.collectives.KIND.scale_up_bytes``,
    ``.scale_out_bytes`` [B sent], ``.messages``, ``.time`` and, where the device's bandwidth is
    known, ``.achieved.time`` [s], per GPU and step. With ``rates`` also those of ``rate_lines``
    for each collective that is made, ``PREFIX.collectives.KIND.WHAT.payload_bytes`` and so on.

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
        "micro_batches": (
            micro_batches
            if type(micro_batches) is Line
            else given("workload.micro_batches", micro_batches, "1", "of one replica")
        ),
        "activation_bits": given("workload.activation_bits", activation_bits, "bit"),
        "gradient_bits": given("workload.gradient_bits", gradient_bits, "bit"),
        "parameter_bits": given("workload.parameter_bits", parameter_bits, "bit"),
    }
    used = gpus_per_node(layout, domain, experts=has_experts(model))
    node = given(f"{prefix}.gpus_per_node", used, "1", f"GPUs used of each domain of {domain}")
    links = {"time": Links(hardware, bandwidth, latencies)}
    device = measured(hardware, inside=type(used) is int and used == layout.gpus)
    if bandwidth == "nominal" and device is not None:
        links["achieved.time"] = Links(device, "achieved", latencies)
    desk = Desk(prefix, model, layout, links, node, sizes, algorithm, mtp=mtp)
    parts = {
        "tensor_parallel": tensor_parallel(desk),
        "expert_tensor_parallel": expert_tensor_parallel(desk),
        "context_parallel": context_parallel(desk, mla_context),
        "pipeline": pipeline(desk),
        "vocabulary_layers": vocabulary_layers(desk),
        "vocabulary_loss": vocabulary_loss(desk),
        "data_parallel": data_parallel(desk, reduction),
    }
    units = {**{f"{link}_bytes": "B" for link in LINKS}, "messages": "1"}
    units |= dict.fromkeys(links, "s")
    lines = [
        total(
            f"{desk.prefix}.{kind}.{what}",
            [part[what] for part in parts[kind]],
            unit=unit,
            convention=links[what].convention
            if what in links
            else f"{algorithm}, per GPU and step",
        )
        for kind in KINDS
        for what, unit in units.items()
    ]
    for made in desk.made if rates else ():
        if made.sends:
            lines += rate_lines(made, links)
    return lines
