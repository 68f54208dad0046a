"""What the experts of a layout send: bytes by link, per token, layer and step, and the times."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.device import scale_up_of
from dsv3calc.accounting.routing.expert_load import load_lines
from dsv3calc.accounting.traffic.exchange import (
    LINKS,
    PHASES,
    DispatchBytes,
    Exchange,
    Group,
    copies_of,
    copy_bytes,
    experts_width,
    group_on,
)
from dsv3calc.accounting.traffic.stages import layers_by_stage, stage_lines
from dsv3calc.accounting.traffic.transfer_formats import FORMATS
from dsv3calc.errors import UsageError
from dsv3calc.formulas import algorithms, traffic, transfers
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.hardware import Hardware, Link
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model


SENT_BY = (
    "n_routed_experts", "num_experts_per_tok", "n_shared_experts", "n_group", "topk_group",
    "routing_bias", "moe_latent_size", "zero_expert_num",
)  # fmt: skip
"""Fields of experts on which depends where a token is sent."""


def expert_views(model: Model, *, with_mtp: bool = False) -> list[GroupView]:
    """List the layer groups with routed experts, MTP's too where it is asked for."""
    arch = architecture_of(model)
    views = [*arch.groups]
    if with_mtp and arch.mtp is not None:
        views.append(arch.mtp)
    return [view for view in views if view.experts is not None]


def check_alike(model: Model, views: list[GroupView]) -> None:
    """Refuse layers that send a token to different numbers of experts.

    Raises
    ------
    UsageError
        With the fields that differ.
    """
    if any(view.feed_forward.spec.zero_expert_num for view in views):
        raise UsageError(
            f"{model.name}: what a layer with zero-computation experts sends is not counted",
            "the number of copies sent depends on which experts are chosen",
        )
    grouped = any(view.feed_forward.spec.n_group > 1 for view in views)
    for name in SENT_BY:
        if name == "routing_bias" and not grouped:  # it says how groups are scored, and no more
            continue
        values = [getattr(view.feed_forward.spec, name) for view in views]
        if len(set(values)) > 1:
            each = ", ".join(
                f"{value} in {view.prefix}" for view, value in zip(views, values, strict=True)
            )
            raise UsageError(
                f"{model.name} has layers with different experts, so what a layer sends is not one "
                f"number: {name} is {each}",
                f"ask for one kind at a time: --set groups.N.feed_forward.{name}={values[0]}",
            )


def expert_layers(views: list[GroupView]) -> Line:
    """Count the layers with routed experts."""
    return total("traffic.moe_layers", [view.layers for view in views], unit="1")


def layer_time(
    prefix: str,
    sent: DispatchBytes,
    group: Group,
    exchange: Exchange,
    links: dict[str, tuple[Link, str]],
    tokens: Line,
) -> Line:
    """Give the time of one layer's forward exchange of a micro-batch, both links used at once.

    ``links`` holds those that the device has, each with the field of its bandwidth to use.

    Returns
    -------
    Line ``PREFIX.time_per_layer`` [s], made of dispatch and combine, each the longer of its links'.
    """
    members = {"scale_up": group.per_node, "scale_out": group.nodes}
    phases = []
    for phase in PHASES:
        times = []
        for link, (device, bandwidth) in links.items():
            moved = combined(
                f"traffic.layer.{phase}.{link}_bytes",
                "product",
                (sent.forward[phase][link], tokens),
                unit="B",
                convention="one GPU, one layer, one micro-batch; mean over the group",
            )
            times.append(
                computed(
                    f"{prefix}.{phase}.{link}_time",
                    transfers.transfer_time,
                    convention=f"{device.name}, {bandwidth} bandwidth of one direction",
                    moved=moved,
                    link_bandwidth=field((f"hardware.{link}", device), bandwidth, "B/s"),
                    imbalance=given("imbalance", exchange.imbalance, "ratio", "busiest over mean"),
                    rounds=computed(
                        f"traffic.{link}_rounds",
                        algorithms.switched_messages,
                        phases=ONE,
                        ranks=members[link],
                    ),
                    latency=given(f"{link}_latency", getattr(exchange, f"{link}_latency"), "s"),
                )
            )
        phases.append(
            combined(
                f"{prefix}.{phase}.time",
                "maximum",
                times,
                convention="the links work concurrently; the slower one is the limit",
            )
        )
    return total(f"{prefix}.time_per_layer", phases, convention="forward: dispatch and combine")


def overlap_lines(times: dict[str, Line], compute_seconds: Any) -> list[Line]:
    """Tell what computation beside an exchange hides of it, and what it leaves.

    ``times`` are those of a layer's exchange, by the prefix of their lines.

    Returns
    -------
    Lines ``PREFIX.hidden_share`` and ``PREFIX.exposed_time_per_layer`` [s].
    """
    beside = given("compute_time", compute_seconds, "s", "of another micro-batch, per layer")
    return [
        computed(
            f"{prefix}.{name}",
            function,
            convention="two micro-batches overlapped, forward",
            communication_seconds=time,
            overlapped_seconds=beside,
        )
        for prefix, time in times.items()
        for name, function in (
            ("hidden_share", transfers.hidden_share),
            ("exposed_time_per_layer", transfers.exposed_time),
        )
    ]


def usable_links(hardware: Hardware, group: Group, kind: str) -> dict[str, tuple[Link, str]]:
    """Return the device's links with the field of their bandwidth.

    Empty where the bandwidth of a link that carries something is unknown.
    """
    links = {"scale_up": scale_up_of(hardware), "scale_out": hardware.scale_out}
    if hardware.scale_out is None:
        del links["scale_out"]
        if type(group.nodes.value) is not int or group.nodes.value > 1:
            raise UsageError(
                f"{hardware.name} has no scale-out link, and the experts are on "
                f"{group.nodes.value} nodes",
                "choose another --hardware, or --set hardware.scale_out",
            )
    found = {link: (device, kind) for link, device in links.items() if device is not None}
    idle = "scale_out" if type(group.nodes.value) is int and group.nodes.value == 1 else ""
    unknown = [link for link, (device, _) in found.items() if getattr(device, kind) is None]
    if set(unknown) - {idle}:
        return {}
    return {link: each for link, each in found.items() if link not in unknown}


def step_lines(
    sent: DispatchBytes,
    layout: Layout,
    layers: Line,
    tokens: Line,
    by_stage: Sequence[Line],
    *,
    training: bool,
) -> list[Line]:
    """Count the bytes of a micro-batch and of a training step, of one GPU and all of its layers.

    ``by_stage`` are the layers with experts of each stage, as :func:`layers_by_stage` gives them.

    Returns
    -------
    Lines ``traffic.layer.LINK_bytes`` (one layer, forward), ``traffic.micro_batch.LINK_bytes`` (all
    layers of a GPU, with the backward pass in training) and ``traffic.step.LINK_bytes`` [B], means
    over the pipeline; and those of :func:`stage_lines`.
    """
    scope = ("layout", layout)
    held = computed("traffic.layers_per_gpu", traffic.layers_per_gpu, scope, layers=layers)
    lines = []
    one_layer, of_batch = {}, {}
    ways = (sent.forward, sent.backward) if training else (sent.forward,)
    words = "forward and backward" if training else "forward"
    for link in LINKS:
        forward = total(
            f"traffic.{link}_bytes_per_token", [sent.forward[phase][link] for phase in PHASES]
        )
        lines.append(
            combined(
                f"traffic.layer.{link}_bytes",
                "product",
                (forward, tokens),
                unit="B",
                convention="one GPU, one layer, one micro-batch, forward; mean over the group",
            )
        )
        each = total(
            f"traffic.layer.{link}_bytes_per_token",
            [way[phase][link] for way in ways for phase in PHASES],
            convention=words,
        )
        of_batch[link] = combined(
            f"traffic.micro_batch.{link}_bytes",
            "product",
            (each, tokens, held),
            unit="B",
            convention=f"one GPU, its layers with experts, {words}; mean over stages",
        )
        lines.append(of_batch[link])
        one_layer[link] = each
    steps = None
    if training:
        steps = computed("traffic.step.micro_batches", traffic.replica_micro_batches, scope)
        lines += [
            combined(
                f"traffic.step.{link}_bytes",
                "product",
                (batch, steps),
                unit="B",
                convention=f"one GPU, one training step, {words}; mean over stages",
            )
            for link, batch in of_batch.items()
        ]
    return lines + stage_lines(layout, by_stage, one_layer, tokens, steps, words)


def tokens_line(layout: Layout, sequence: Any, tokens: Any = None) -> Line:
    """Count the tokens of a micro-batch that one GPU dispatches, unless they are given."""
    if tokens is not None:
        return given("workload.tokens", tokens, "tokens", "of one GPU and micro-batch")
    return computed(
        "traffic.tokens_per_gpu",
        traffic.dispatched_tokens,
        ("layout", layout),
        sequence=given("workload.sequence", sequence, "tokens"),
    )


def expert_lines(
    model: Model,
    layout: Layout,
    hardware: Hardware,
    exchange: Exchange,
    *,
    sequence: Any = 4096,
    tokens: Any = None,
    compute_seconds: Any = None,
    with_mtp: bool = False,
) -> tuple[list[Line], tuple[str, ...]]:
    """Count the expert traffic of a layout.

    Parameters
    ----------
    model, layout, hardware
        The architecture, how its GPUs share the work, and the device; the scale-up link's domain
        is the node.
    exchange
        Formats, forwarding, routing, latencies.
    sequence, tokens
        Tokens of each sequence, or the tokens that one GPU dispatches in a micro-batch.
    compute_seconds
        Computation of another micro-batch, per layer, that runs beside the exchange.
    with_mtp
        Count MTP's layer too.

    Returns
    -------
    The lines, and what the routing takes for granted. The lines are
    ``traffic.copies_per_token.*``, ``traffic.remote_copies_per_token.*``, those of ``load_lines``,
    ``traffic.{dispatch,combine}.{scale_up,scale_out}_bytes_per_token`` [B/token],
    ``traffic.time_per_layer`` [s] and ``traffic.achieved.time_per_layer`` where it is known,
    ``traffic.{layer,micro_batch,step}.{scale_up,scale_out}_bytes`` [B], and where there are several
    pipeline stages those of :func:`stage_lines`.

    Raises
    ------
    UsageError
        If the layers' experts differ, or do not lie on the GPUs and nodes as asked.
    """
    views = expert_views(model, with_mtp=with_mtp)
    if not views:
        return [], ()
    check_alike(model, views)
    group = group_on(hardware, layout)
    copies = copies_of(views[0], layout, group, exchange)
    width = experts_width(views[0])
    sent = DispatchBytes(model, copies, exchange, width)
    held = tokens_line(layout, sequence, tokens)
    lines = [
        *copies.lines,
        *sent.lines,
        *_ratios_to_bf16(model, sent, width),
        computed("traffic.crossing_share", traffic.crossing_share, **group.lines),
        *load_lines(
            views[0],
            group,
            held,
            field(("layout", layout), "etp", "1"),
            redundant_experts=layout.redundant_experts,
            factor=exchange.imbalance,
        ),
    ]
    times = {
        prefix: layer_time(prefix, sent, group, exchange, links, held)
        for prefix, links in (
            ("traffic", usable_links(hardware, group, "nominal")),
            ("traffic.achieved", usable_links(hardware, group, "achieved")),
        )
        if links
    }
    lines += times.values()
    exchanged = type(layout.ep) is not int or layout.ep > 1
    if compute_seconds is not None and exchanged:
        lines += overlap_lines(times, compute_seconds)
    lines += step_lines(
        sent,
        layout,
        expert_layers(views),
        held,
        layers_by_stage(model, layout, views, with_mtp=with_mtp),
        training=layout.global_batch is not None,
    )
    return lines, copies.assumptions


def _ratios_to_bf16(model: Model, sent: DispatchBytes, width: dict[str, Line]) -> list[Line]:
    """Compare the bytes of a copy with those of one in BF16."""
    plain = copy_bytes("traffic.bf16_copy_bytes", model, FORMATS["bf16"], **width)
    return [
        combined(f"traffic.{phase}.ratio_to_bf16", "ratio", (sent.copy[phase], plain), unit="ratio")
        for phase in PHASES
    ]
