"""Exchanges that servers alone have: tokens gathered from replicas, decode context parallelism."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.placement.rank_order import GroupPlacement, degree, stride
from dsv3calc.accounting.times.communication import DECODE_CONTEXT, GATHER
from dsv3calc.accounting.times.kernels import ATTENTION, FORWARD, INDEXER
from dsv3calc.accounting.times.share import divided
from dsv3calc.formulas import rank_groups, served_batches
from dsv3calc.ledger.line import Line, combined, computed, given
from dsv3calc.model.operator import CORE, ONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.accounting.times.communication import Sender, Sending
    from dsv3calc.model.layer import GroupView

_LSE_BITS = given("time.log_sum_exp_bits", 32, "bit", "FP32")
SHARED, DENSE = "shared_experts", "dense_ffn"
"""Components that the replicas of an instance may share."""


def serving_sendings(sender: Sender) -> Iterator[Sending]:
    """Yield the exchanges of every layer group that a server has and training has not."""
    for view in sender.views:
        yield from _gathers(sender, view)
        if sender.run.workload.phase == "decode":
            yield from _decode_context(sender, view)


# --- tokens of several attention replicas


def _gathers(sender: Sender, view: GroupView) -> Iterator[Sending]:
    """Yield the gather of the tokens of replicas whose GPUs share matrices, and the sum back.

    A GPU with a part of an expert needs all tokens of its group: those of its own replica are
    there, the others are gathered. Without an all-to-all experts get their tokens in this way too.
    """
    replicas = _replicas(sender, view)
    if _is_one(replicas):
        return
    layout, name = sender.layout, f"time.{view.prefix}.{GATHER}"
    ranks, apart = replicas, stride(layout, "dp", f"{name}.stride")
    if layout.sequence_parallel:  # the GPUs of a replica have different tokens
        ranks = combined(f"{name}.ranks", "product", (replicas, degree(layout, "tp")))
        apart = stride(layout, "tp", f"{name}.stride")
    span = _placed(sender, name, ranks, apart)
    own = sender.payload(f"{name}.own", sender.hidden, "cp")
    payload = combined(f"{name}.payload", "product", (own, replicas), unit="B")
    for primitive in ("all-gather", "reduce-scatter"):
        yield sender.collective(
            view.prefix, GATHER, primitive, primitive, FORWARD, payload, 1, span=span
        )


def _replicas(sender: Sender, view: GroupView) -> Line:
    """Count the replicas that need each other's tokens in a layer."""
    layout = sender.layout
    component = SHARED if view.experts is not None else DENSE
    has = any(each.component == component for each in view.operators(sender.run.mla))
    if has and layout.spans_instance(component):
        return degree(layout, "dp")
    if view.experts is None:
        return ONE
    axes = ("ep", "etp") if sender.gathered else ("etp",)
    name = f"time.{view.prefix}.{GATHER}.replicas"
    return computed(
        name,
        served_batches.gathering_replicas,
        expert_gpus=combined(
            f"{name}.expert_gpus", "product", [degree(layout, axis) for axis in axes], unit="1"
        ),
        replica_gpus=combined(
            f"{name}.replica_gpus", "product", [degree(layout, axis) for axis in ("tp", "cp")],
            unit="1",
        ),
    )  # fmt: skip


def _placed(sender: Sender, name: str, ranks: Line, apart: Line) -> GroupPlacement:
    members = computed(
        f"{name}.members",
        rank_groups.members_per_node,
        ranks=ranks,
        rank_stride=apart,
        gpus_per_node=sender.node,
    )
    nodes = computed(f"{name}.nodes", rank_groups.nodes_of_group, ranks=ranks, members=members)
    return GroupPlacement(members, nodes, ranks)


def _is_one(line: Line) -> bool:
    value: Any = line.value
    return type(value) is int and value == 1


# --- the tokens of a cache


def _decode_context(sender: Sender, view: GroupView) -> Iterator[Sending]:
    """Yield what attention sends where GPUs with the same keys keep different tokens.

    Queries of the group's heads are gathered; each GPU attends to its own tokens, and the outputs
    are added up by the logarithms of their sums of exponentials, which are gathered.
    """
    layout = sender.layout
    if (type(layout.dcp) is int and layout.dcp == 1) or not view.attention.present:
        return
    if any(entry.kind == INDEXER for entry in view.attention.cache(sender.run.mla)):
        raise view.attention.refusal("what decode context parallelism exchanges")
    core = next(
        each.core
        for each in view.operators(sender.run.mla)
        if each.kind == CORE and each.component == ATTENTION
    )
    assert core is not None  # noqa: S101 - a core has its shape
    name, dcp = f"time.{view.prefix}.{DECODE_CONTEXT}", degree(layout, "dcp")
    own = divided(f"{name}.own_heads", core.heads, [sender.share.tp])
    heads = combined(f"{name}.heads", "product", (own, dcp), unit="1")
    span = _placed(sender, name, dcp, stride(layout, "tp", f"{name}.stride"))
    sent = (
        ("queries", "all-gather", (heads, core.channels["scores"]), None),
        ("sums", "all-gather", (heads, dcp), _LSE_BITS),
        ("outputs", "reduce-scatter", (heads, core.channels["values"]), None),
    )
    for what, primitive, parts, bits in sent:
        place = f"{name}.{what}"
        width = combined(f"{place}.width", "product", parts, unit="elements")
        payload = sender.payload(place, width, **({} if bits is None else {"bits": bits}))
        yield sender.collective(
            view.prefix, DECODE_CONTEXT, primitive, what, FORWARD, payload, 1, span=span
        )
