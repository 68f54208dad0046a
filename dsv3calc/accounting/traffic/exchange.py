"""How hidden states reach their experts: the group's GPUs and nodes, copies by link, bytes sent."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.device import scale_up_of
from dsv3calc.accounting.placement.expert_slots import either
from dsv3calc.accounting.placement.rank_order import stride
from dsv3calc.accounting.traffic.transfer_formats import FORMATS, TransferFormat
from dsv3calc.errors import UsageError
from dsv3calc.formulas import rank_groups, routing, traffic, transfers
from dsv3calc.ledger.line import Line, combined, computed, field, given, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

LINKS = ("scale_up", "scale_out")
PHASES = ("dispatch", "combine")

FORWARDING = {
    "node-limited": "one copy per remote node, sent to the GPU of the same index, which forwards "
    "it to the other GPUs of its node that need it",
    "per-gpu": "one copy per distinct GPU, sent directly",
    "per-expert": "one copy per expert, even if two experts share a GPU",
}
"""How copies reach their GPUs: name -> words."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """How hidden states are sent.

    ``metadata_bytes`` go with each copy of a forward dispatch. ``latencies`` are those of a message
    by link, in seconds. ``imbalance`` is the traffic of the busiest GPU over the mean.
    """

    dispatch: TransferFormat = FORMATS["fp8"]
    combine: TransferFormat = FORMATS["bf16"]
    backward_dispatch: TransferFormat = FORMATS["fp8"]
    backward_combine: TransferFormat = FORMATS["bf16"]
    forwarding: str = "node-limited"
    policy: str = "model"
    law: str = "uniform"
    group_score: str = "model"
    metadata_bytes: Any = 0
    imbalance: Any = 1
    scale_up_latency: Any = 0
    scale_out_latency: Any = 0


class Group:
    """An expert-parallel group: its GPUs, how many of them share a node, its nodes."""

    __slots__ = ("gpus", "nodes", "per_node")

    def __init__(self, layout: Layout, node_size: Any) -> None:
        """Place the group as the rank order says.

        Raises
        ------
        UsageError
            If the group does not fill its nodes.
        """
        scope = ("layout", layout)
        self.gpus = field(scope, "ep", "1")
        for what, why in group_problems(layout, node_size):
            raise UsageError(what, why)
        self.per_node = computed(
            "traffic.group.ranks_per_node",
            rank_groups.members_per_node,
            convention=f"GPUs numbered by {', '.join(layout.rank_order)}; nodes of {node_size}",
            ranks=self.gpus,
            gpus_per_node=given("hardware.scale_up.domain_size", node_size, "1"),
            rank_stride=given("layout.rank_order", stride(layout, "ep").value, "1"),
        )
        self.nodes = computed(
            "traffic.group.nodes",
            rank_groups.nodes_of_group,
            ranks=self.gpus,
            members=self.per_node,
        )

    @property
    def lines(self) -> dict[str, Any]:
        """The arguments that formulas take of it."""
        return {"gpus": self.gpus, "gpus_per_node": self.per_node}


def group_on(hardware: Hardware, layout: Layout) -> Group:
    """Return the expert-parallel group of a layout on the scale-up domains of a device.

    Raises
    ------
    UsageError
        If the device has no scale-up link, or the group does not fill the domains.
    """
    return Group(layout, scale_up_of(hardware).domain_size or layout.ep)


def group_problems(layout: Layout, node_size: Any) -> Iterator[tuple[str, str]]:
    """Yield why an expert-parallel group fills its nodes unevenly.

    Arrays and symbols are taken to be of groups that fill theirs.
    """
    ranks, step = layout.ep, stride(layout, "ep").value
    if not all(type(value) is int for value in (ranks, step, node_size)):
        return
    if ranks == 1 or step >= node_size:
        return
    apart = f", {step:,} apart," if step > 1 else ""
    found = f"an expert-parallel group of {ranks:,} GPUs{apart} does not fill nodes of"
    reach, rest = divmod(node_size, step)
    if rest:
        why = f"the {step:,} GPUs between neighbours of the group do not divide {node_size:,}"
        yield f"{found} {node_size:,}", f"{why}: choose another --tp, --cp or rank_order"
    elif ranks > reach and ranks % reach:
        fewer = ranks - ranks % reach
        yield (
            f"{found} {node_size:,}",
            f"up to {reach:,}, or a multiple of it: --ep {either(fewer, fewer + reach)}",
        )


class Copies:
    """Copies of a token: distinct destinations, those that are not its own, and links' loads."""

    __slots__ = ("assumptions", "distinct", "links", "remote")

    def __init__(
        self,
        distinct: dict[str, Line],
        remote: dict[str, Line],
        links: dict[str, Line],
        assumptions: tuple[str, ...],
    ) -> None:
        self.assumptions = assumptions
        self.distinct = distinct
        self.remote = remote
        self.links = links

    @property
    def lines(self) -> list[Line]:
        """Every line that is shown."""
        return [*self.distinct.values(), *self.remote.values(), *self.links.values()]


def copies_of(view: GroupView, layout: Layout, group: Group, exchange: Exchange) -> Copies:
    """Count the copies of one token of one layer with experts."""
    from dsv3calc.accounting.routing.destinations import (
        destinations,  # memory needs an Exchange without it
    )

    experts = view.experts
    assert experts is not None  # noqa: S101 - expert_views lists no other
    shared = layout.shared_experts == "routed" and experts.spec.n_shared_experts > 0
    prefix = "traffic.routed" if shared else "traffic"
    found = destinations(
        prefix,
        experts.scope,
        experts.spec,
        gpus=group.gpus.value,
        gpus_per_node=group.per_node.value,
        policy=exchange.policy,
        law=exchange.law,
        group_score=exchange.group_score,
        redundant_experts=layout.redundant_experts,
    )
    distinct = {"expert": found.expert, "gpu": found.gpu, "node": found.node}
    remote = {"gpu": found.remote_gpu, "node": found.remote_node}
    if shared:
        distinct, remote = _with_shared(distinct, group)
    links = _on_links(distinct, remote, group, exchange.forwarding)
    return Copies(distinct, remote, links, tuple(found.assumptions))


def _with_shared(
    distinct: dict[str, Line], group: Group
) -> tuple[dict[str, Line], dict[str, Line]]:
    """Add the copy to a replica of the shared experts."""
    one = given("one", 1, "1")
    words = "one more copy, to a replica of the shared experts on each GPU with equal probability"
    more = {
        "expert": total(
            "traffic.copies_per_token.expert", (distinct["expert"], one), convention=words
        )
    }
    remote = {}
    for kind, places in (("gpu", group.gpus), ("node", group.nodes)):
        more[kind] = computed(
            f"traffic.copies_per_token.{kind}",
            traffic.copies_with_shared,
            convention=words,
            token_copies=distinct[kind],
            places=places,
        )
        remote[kind] = computed(
            f"traffic.remote_copies_per_token.{kind}",
            routing.remote_destinations,
            distinct=more[kind],
            destinations=places,
        )
    return more, remote


def _on_links(
    distinct: dict[str, Line], remote: dict[str, Line], group: Group, forwarding: str
) -> dict[str, Line]:
    names = {link: f"traffic.copies_on_link.{link}" for link in LINKS}
    words = f"{forwarding}: {FORWARDING[forwarding]}"
    if forwarding == "node-limited":
        return {
            "scale_up": computed(
                names["scale_up"],
                routing.remote_destinations,
                convention=words,
                distinct=distinct["gpu"],
                destinations=group.per_node,
            ),
            "scale_out": total(names["scale_out"], (remote["node"],), convention=words),
        }
    copies = distinct["gpu" if forwarding == "per-gpu" else "expert"]
    functions = {"scale_up": traffic.neighbour_copies, "scale_out": traffic.crossing_copies}
    return {
        link: computed(names[link], function, convention=words, token_copies=copies, **group.lines)
        for link, function in functions.items()
    }


def copy_bytes(
    name: str, model: Model, form: TransferFormat, metadata_bytes: Any = 0, **arguments: Any
) -> Line:
    """Give the bytes of one copy of a hidden state in a format."""
    return computed(
        name,
        transfers.transfer_bytes,
        (f"transfer_formats.{form.name}", form),
        ("model", model),
        convention=form.title,
        metadata_bytes=given("metadata_bytes", metadata_bytes, "B"),
        **arguments,
    )


def experts_width(view: GroupView) -> dict[str, Line]:
    """Return the channels of what a layer's experts receive, as an argument of a copy's bytes."""
    experts = view.experts
    assert experts is not None  # noqa: S101 - only such layers exchange rows
    return {} if experts.width is view.hidden else {"hidden_size": experts.width}


class DispatchBytes:
    """Bytes that a GPU sends for one of its tokens, by phase and link."""

    __slots__ = ("backward", "copy", "forward", "width")

    def __init__(
        self, model: Model, copies: Copies, exchange: Exchange, width: dict[str, Line]
    ) -> None:
        self.copy: dict[str, Line] = {}
        self.width = width
        self.forward = self._direction("", model, copies, exchange)
        self.backward = self._direction("backward.", model, copies, exchange)

    def _direction(
        self, way: str, model: Model, copies: Copies, exchange: Exchange
    ) -> dict[str, dict[str, Line]]:
        sent: dict[str, dict[str, Line]] = {}
        for phase in PHASES:
            form: TransferFormat = getattr(exchange, f"{way.replace('.', '_')}{phase}")
            beside = exchange.metadata_bytes if not way and phase == "dispatch" else 0
            name = f"traffic.{way}{phase}"
            copy = copy_bytes(f"{name}.copy_bytes", model, form, beside, **self.width)
            self.copy[f"{way}{phase}"] = copy
            sent[phase] = {
                link: combined(
                    f"{name}.{link}_bytes_per_token",
                    "product",
                    (copies.links[link], copy),
                    unit="B/token",
                    convention=f"sent, one layer; {form.title}",
                )
                for link in LINKS
            }
        return sent

    @property
    def lines(self) -> list[Line]:
        """Every line that is shown."""
        ways = (self.forward, self.backward)
        return [line for way in ways for phase in way.values() for line in phase.values()]
