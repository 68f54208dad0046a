"""The collectives of a layout, per GPU and training step: all but the experts' all-to-all.

Those of layers are means over the pipeline, and so are the layers whose gradients are reduced, with
the final norm and the head on top. The pipeline's are those of a rank at the edge of a node, the
vocabulary's those of the stage with the head. What depends on the layers of a pipeline rank is
counted for each rank too, and given for the busiest. Kinds overlap with each other and with
computation, so their times are not added.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.device import scale_up_of
from dsv3calc.accounting.placement.rank_order import check_pipeline, gpus_per_node
from dsv3calc.accounting.placement.stages import Stages
from dsv3calc.accounting.traffic.algorithms import LINKS, check_algorithm
from dsv3calc.accounting.traffic.collective_calls import (
    CollectiveTotals,
    StepCollectives,
    rate_lines,
)
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
from dsv3calc.ledger.line import Line, combined, given, total
from dsv3calc.model.architecture import architecture_of, has_experts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

_COUNTED_BY: dict[str, Callable[[StepCollectives], CollectiveTotals]] = {
    "tensor_parallel": tensor_parallel,
    "expert_tensor_parallel": expert_tensor_parallel,
    "context_parallel": context_parallel,
    "pipeline": pipeline,
    "vocabulary_layers": vocabulary_layers,
    "vocabulary_loss": vocabulary_loss,
    "data_parallel": data_parallel,
}

KINDS = tuple(_COUNTED_BY)
"""In the order of the lines."""

BY_RANK = ("tensor_parallel", "expert_tensor_parallel", "context_parallel", "data_parallel")
"""Kinds that depend on the layers of a pipeline rank."""

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
    found = []
    if layout.pp != 1:
        found += [
            "collectives inside layers: mean over the stages",
            (
                "gradients: mean number of layers per stage plus the final norm and the head, "
                "which may be more than any rank holds"
            ),
        ]
    found += [
        (
            f"rank order {'-'.join(layout.rank_order)} (rank_order), nodes filled one after "
            "another; etp takes tp's place; ep and edp partition tp x cp x dp"
        ),
        "no recomputation; no overlap between collectives: each time is that of one alone",
    ]
    domain = scale_up_of(hardware).domain_size
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
    Then those of :func:`busiest_lines`.

    Raises
    ------
    UsageError
        If a name is unknown, the order of ranks forms no pipeline, or bytes leave a node of
        hardware without a scale-out link.
    """
    choices = {
        "algorithm": algorithm,
        "mla_context": mla_context,
        "gradient_reduction": gradient_reduction or ("micro-batch" if layout.zero > 1 else "step"),
    }
    _check_choices(choices)
    check_pipeline(layout, experts=has_experts(model))
    sizes = _sizes(
        sequence,
        micro_batches,
        activation_bits=activation_bits,
        gradient_bits=gradient_bits,
        parameter_bits=parameter_bits,
    )
    domain = scale_up_of(hardware).domain_size
    used = gpus_per_node(layout, domain, experts=has_experts(model))
    node = given(f"{prefix}.gpus_per_node", used, "1", f"GPUs used of each domain of {domain}")
    inside = type(used) is int and used == layout.gpus
    links = _links(hardware, bandwidth, latencies, inside=inside)
    counter = StepCollectives(prefix, model, layout, links, node, sizes, choices, mtp=mtp)
    found = {kind: kind_lines(counter, kind) for kind in KINDS}
    lines = [line for each in found.values() for line in each.values()]
    for made in counter.made if rates else ():
        if made.sends:
            lines += rate_lines(made, links)
    sending = [kind for kind in BY_RANK if _sends(found[kind])]
    return lines + busiest_lines(prefix, counter, sending)


def _sizes(sequence: Any, micro_batches: Any, **bits: Any) -> dict[str, Line]:
    """Return the numbers of a workload that collectives are counted from, as lines."""
    if type(micro_batches) is not Line:
        micro_batches = given("workload.micro_batches", micro_batches, "1", "of one replica")
    widths = {name: given(f"workload.{name}", value, "bit") for name, value in bits.items()}
    sequence = given("workload.sequence", sequence, "tokens")
    return {"sequence": sequence, "micro_batches": micro_batches, **widths}


def _check_choices(choices: dict[str, str]) -> None:
    check_algorithm(choices["algorithm"])
    for option, known in (
        ("mla_context", MLA_CONTEXT),
        ("gradient_reduction", GRADIENT_REDUCTION),
    ):
        value = choices[option]
        if value not in known:
            raise UsageError(f"unknown {option} '{value}'", f"choose from {', '.join(known)}")


def _links(
    hardware: Hardware, bandwidth: str, latencies: dict[str, float] | None, *, inside: bool
) -> dict[str, Links]:
    """Give the links by the name of the time that they give; achieved ones where they are known."""
    links = {"time": Links(hardware, bandwidth, latencies)}
    device = measured(hardware, inside=inside)
    if bandwidth == "nominal" and device is not None:
        links["achieved.time"] = Links(device, "achieved", latencies)
    return links


def kind_lines(counter: StepCollectives, kind: str) -> dict[str, Line]:
    """Count the collectives of a kind: bytes by link, messages and times."""
    parts = _COUNTED_BY[kind](counter)
    units = {**{f"{link}_bytes": "B" for link in LINKS}, "messages": "1"}
    units |= dict.fromkeys(counter.links, "s")
    return {
        what: total(
            f"{counter.prefix}.{kind}.{what}",
            [part[what] for part in parts],
            unit=unit,
            convention=counter.links[what].convention
            if what in counter.links
            else f"{counter.algorithm}, per GPU and step",
        )
        for what, unit in units.items()
    }


def _sends(lines: dict[str, Line]) -> bool:
    """Tell whether a kind sends anything."""
    values = [lines[f"{link}_bytes"].value for link in LINKS]
    return any(type(value) not in (int, float) or value > 0 for value in values)


def busiest_lines(prefix: str, counter: StepCollectives, kinds: Sequence[str]) -> list[Line]:
    """Count what each pipeline rank sends for the layers that the layout puts on it.

    Returns
    -------
    For each of ``kinds`` the lines ``PREFIX.busiest.collectives.KIND.rank`` and
    ``.scale_up_bytes``, ``.scale_out_bytes``, ``.messages``, ``.time`` and ``.achieved.time`` of
    the rank that is the longest at it, over ``PREFIX.rank.N.collectives.KIND.*``. Nothing where
    there is one rank, or their number is an array or a symbol.
    """
    pp = counter.layout.pp
    if type(pp) is not int or pp == 1 or not kinds:
        return []
    split = Stages(f"{prefix}.split", counter.model, counter.layout, mtp=counter.mtp)
    ranks = [counter.of_rank(number, split) for number in range(pp)]
    numbers = [given(f"{prefix}.rank.{number}", number, "1") for number in range(pp)]
    lines = []
    for kind in kinds:
        found = _by_content(ranks, kind)
        keys = [each["time"] for each in found]
        columns = {"rank": numbers}
        columns |= {what: [each[what] for each in found] for what in found[0]}
        lines += [
            combined(
                f"{prefix}.busiest.collectives.{kind}.{what}",
                "at_largest",
                [*keys, *column],
                unit=column[0].unit,
                convention="the first of the pipeline ranks that need the longest",
            )
            for what, column in columns.items()
        ]
    return lines


def _by_content(ranks: Sequence[StepCollectives], kind: str) -> list[dict[str, Line]]:
    """Count the collectives of each rank; of ranks that hold the same only the first is counted."""
    known: dict[tuple[Any, ...], dict[str, Line]] = {}
    found = []
    for rank in ranks:
        held = rank.held
        content = tuple(line.value for line in (*held.layers, held.stages, *held.outer))
        if content not in known:
            known[content] = kind_lines(rank, kind)
            found.append(known[content])
        else:
            found.append(
                {
                    what: line.renamed(f"{rank.prefix}.{kind}.{what}")
                    for what, line in known[content].items()
                }
            )
    return found
