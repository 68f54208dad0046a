"""Exchanges between GPUs around the operators of a layer: what each of them sends on which link."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dsv3calc.accounting.device import scale_up_of
from dsv3calc.accounting.placement.rank_order import degree, gpus_per_node, placement_of
from dsv3calc.accounting.times.kernels import FORWARD, MODEL
from dsv3calc.accounting.times.share import divided
from dsv3calc.accounting.traffic.algorithms import LINKS, sent
from dsv3calc.accounting.traffic.exchange import (
    PHASES,
    DispatchBytes,
    copies_of,
    experts_width,
    group_on,
)
from dsv3calc.accounting.traffic.experts import expert_views
from dsv3calc.accounting.traffic.layer_collectives import reduced_blocks, width_held
from dsv3calc.formulas import collectives, in_network
from dsv3calc.ledger.line import Line, combined, computed, field, given
from dsv3calc.model.architecture import has_experts
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.accounting.placement.rank_order import GroupPlacement
    from dsv3calc.accounting.times.setting import Setting
    from dsv3calc.accounting.times.share import Share
    from dsv3calc.accounting.traffic.exchange import Exchange
    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.hardware import Hardware

BACKWARD = "backward"
_BITS = given("time.activation_bits", 16, "bit", "activations in BF16")
_TENSOR, _EXPERT_TENSOR, _CONTEXT = "tensor_parallel", "expert_tensor_parallel", "context_parallel"
EXPERTS, GATHER, DECODE_CONTEXT = "expert_parallel", "gather", "decode_context_parallel"
AXES = {
    _TENSOR: "tp", _EXPERT_TENSOR: "etp", _CONTEXT: "cp", EXPERTS: "ep", GATHER: "ep",
    DECODE_CONTEXT: "cp",
}  # fmt: skip
"""Kind of an exchange -> the axis of the layout whose GPUs take part."""


class Sending:
    """An exchange of one layer, or outside of layers: its calls in a pass, and what each moves.

    ``primitive`` is that of a collective, or ``dispatch`` or ``combine``. ``moved`` are bytes that
    a GPU sends by link in one call, ``ranks`` the GPUs that take part and ``members`` those of them
    in one scale-up domain.
    """

    __slots__ = ("calls", "kind", "members", "moved", "name", "place", "primitive", "ranks", "way")

    def __init__(
        self,
        name: str,
        place: str,
        kind: str,
        primitive: str,
        *,
        way: str,
        calls: Line,
        moved: dict[str, Line],
        ranks: Line,
        members: Line,
    ) -> None:
        self.name = name
        self.place = place
        self.kind = kind
        self.primitive = primitive
        self.way = way
        self.calls = calls
        self.moved = moved
        self.ranks = ranks
        self.members = members


class Sender:
    """Lists the exchanges of a pass on a GPU of a layout.

    ``gathered`` says that experts get their tokens by gathering those of all replicas, not by an
    all-to-all. With ``in_network`` switches multicast dispatch and add up combine.
    """

    def __init__(
        self,
        share: Share,
        hardware: Hardware,
        exchange: Exchange,
        *,
        algorithm: str = "ring",
        gathered: bool = False,
        in_network: bool = False,
    ) -> None:
        self.gathered = gathered
        self.in_network = in_network
        self.share = share
        self.run = share.run
        self.layout = share.layout
        self.hardware = hardware
        self.exchange = exchange
        self.algorithm = algorithm
        self.training = self.run.workload.phase == "train"
        self.hidden = field(("model", self.run.arch.model), "hidden_size")
        self.views = [*self.run.arch.groups]
        if self.run.conventions.mtp == "in" and self.run.arch.mtp is not None:
            self.views.append(self.run.arch.mtp)

    @property
    def ways(self) -> tuple[str, ...]:
        """The directions of the workload."""
        return (FORWARD, BACKWARD) if self.training else (FORWARD,)

    def all(self) -> Iterator[Sending]:
        """Yield the exchanges of every layer group, and those outside of layers."""
        if self._alone("tp", "cp", "ep", "etp"):
            return
        for way in self.ways:
            yield from self._vocabulary(way)
            for view in self.views:
                yield from self._tensor_parallel(view, way)
                yield from self._context_parallel(view, way)
                if view.experts is None:
                    continue
                if self.training:
                    yield from self._expert_tensor_parallel(view, way)
                if not self.gathered:
                    yield from self._experts(view, way)

    @cached_property
    def node(self) -> Line:
        """The GPUs of each scale-up domain that the layout uses."""
        domain = scale_up_of(self.hardware).domain_size
        used = gpus_per_node(self.layout, domain, experts=has_experts(self.run.arch.model))
        return given("time.gpus_per_node", used, "1", f"GPUs used of each domain of {domain}")

    def _alone(self, *axes: str) -> bool:
        """Tell whether nothing is sent: every group is one GPU, and known to be."""
        degrees = [getattr(self.layout, axis) for axis in axes]
        return all(type(each) is int and each == 1 for each in degrees)

    def payload(self, name: str, width: Line, *axes: str, bits: Line = _BITS) -> Line:
        """Give the bytes of a pass's activations, the tokens divided over ``axes``."""
        workload = self.run.workload
        split = combined(f"{name}.token_split", "product", [degree(self.layout, a) for a in axes])
        return computed(
            f"{name}.payload",
            collectives.activation_payload,
            micro_batch=field(("workload", workload), "batch", "1"),
            sequence=field(("workload", workload), "sequence", "tokens"),
            width=width,
            bits=bits,
            split=split if axes else ONE,
        )

    def collective(
        self,
        place: str,
        kind: str,
        primitive: str,
        what: str,
        way: str,
        payload: Line,
        calls: int,
        *,
        span: GroupPlacement | None = None,
    ) -> Sending:
        """Return a collective; its group is that of the axis of its kind, or ``span``."""
        name = (
            f"time.{place}.{kind}.{what}.{way}" if self.training else f"time.{place}.{kind}.{what}"
        )
        if span is None:
            span = placement_of("time.span", self.layout, AXES[kind], self.node)
        call = sent(name, primitive, payload, span, self.algorithm)
        return Sending(
            name,
            place,
            kind,
            primitive,
            way=way,
            calls=given(f"{name}.calls", calls, "1", f"{way}, in one layer"),
            moved=call.bytes,
            ranks=span.ranks,
            members=span.members,
        )

    def _tensor_parallel(self, view: GroupView, way: str) -> Iterator[Sending]:
        blocks = reduced_blocks(view, self.layout)
        if self._alone("tp") or not blocks:
            return
        place = view.prefix
        payload = self.payload(f"time.{place}.{_TENSOR}", self.hidden, "cp")
        calls = {"all-reduce": blocks}
        if self.layout.sequence_parallel:  # backward, inputs are gathered again
            gathers = blocks if way == FORWARD else 2 * blocks
            calls = {"all-gather": gathers, "reduce-scatter": blocks}
        for primitive, count in calls.items():
            yield self.collective(place, _TENSOR, primitive, primitive, way, payload, count)

    def _vocabulary(self, way: str) -> Iterator[Sending]:
        """Yield what the embedding's and the head's collectives send."""
        if self._alone("tp") or not self.layout.vocabulary_parallel:
            return
        payload = self.payload(f"time.{MODEL}.{_TENSOR}", self.hidden, "cp")
        if (
            not self.layout.sequence_parallel
        ):  # rows of the embedding; gradients of the head's input
            yield self.collective(MODEL, _TENSOR, "all-reduce", "all-reduce", way, payload, 1)
            return
        gathers = 1 if way == FORWARD else 2
        for primitive, count in (("all-gather", gathers), ("reduce-scatter", 1)):
            yield self.collective(MODEL, _TENSOR, primitive, primitive, way, payload, count)

    def _expert_tensor_parallel(self, view: GroupView, way: str) -> Iterator[Sending]:
        if self._alone("etp"):
            return
        place = view.prefix
        name = f"time.{place}.{_EXPERT_TENSOR}"
        tokens = self.payload(f"{name}.tokens", self.hidden, "cp", "tp")
        copies = (tokens, self.share.chosen(view), degree(self.layout, "etp"))
        payload = combined(f"{name}.payload", "product", copies)
        for primitive in ("all-gather", "reduce-scatter"):
            yield self.collective(place, _EXPERT_TENSOR, primitive, primitive, way, payload, 1)

    def _context_parallel(self, view: GroupView, way: str) -> Iterator[Sending]:
        """Yield what attention sends where a sequence is divided; masks save nothing."""
        if self._alone("cp"):
            return
        if view.mixer.present:
            raise view.mixer.refusal("what context parallelism exchanges")
        if not view.attention.present:
            return
        layout, place = self.layout, view.prefix
        exchanged = layout.context_parallel_method == "all-to-all"
        fewest = degree(layout, "cp") if exchanged else ONE
        form = "latent" if view.attention.forms else ""
        for what, held in view.attention.context_widths(form).items():
            name = f"time.{place}.{_CONTEXT}.{what}"
            width = width_held(name, held, degree(layout, "tp"), fewest)
            if exchanged and what != "latent":
                payload = self.payload(name, width, "cp")
                yield self.collective(place, _CONTEXT, "all-to-all", what, way, payload, 1)
            elif what != "queries":
                payload = self.payload(name, width)
                primitives = ("all-gather",) if way == FORWARD else ("all-gather", "reduce-scatter")
                for primitive in primitives:
                    yield self.collective(
                        place, _CONTEXT, primitive, f"{what}.{primitive}", way, payload, 1
                    )

    def _experts(self, view: GroupView, way: str) -> Iterator[Sending]:
        """Yield the dispatch of tokens to the experts and the combination of their outputs."""
        if self._alone("ep"):
            return
        place, layout = view.prefix, self.layout
        group = group_on(self.hardware, layout)
        copies = copies_of(view, layout, group, self.exchange)
        found = DispatchBytes(self.run.arch.model, copies, self.exchange, experts_width(view))
        left = self._left_by_switches(place, way, copies.links["scale_out"], found)
        tokens = divided("time.dispatched_tokens", self.run.tokens, [self.share.tp, self.share.cp])
        for phase in PHASES:
            each = (found.forward if way == FORWARD else found.backward)[phase]
            name = f"time.{place}.{EXPERTS}.{phase}"
            name = f"{name}.{way}" if self.training else name
            moved = {
                link: combined(
                    f"{name}.{link}_bytes",
                    "product",
                    (each[link], tokens, self.share.imbalance, *left[link]),
                    unit="B",
                    convention="one GPU, one layer; the busiest",
                )
                for link in LINKS
            }
            yield Sending(
                name,
                place,
                EXPERTS,
                phase,
                way=way,
                calls=ONE,
                moved=moved,
                ranks=group.gpus,
                members=group.per_node,
            )

    def _left_by_switches(
        self, place: str, way: str, copies: Line, found: DispatchBytes
    ) -> dict[str, list[Line]]:
        """Return the share of the bytes of each link that multicast and reduction leave."""
        left: dict[str, list[Line]] = {link: [] for link in LINKS}
        if not self.in_network or copies.value < 1:
            return left
        prefix = "" if way == FORWARD else "backward."
        share = computed(
            f"time.{place}.{EXPERTS}.{prefix}in_network_share",
            in_network.in_network_share,
            convention="both directions of the NIC at once",
            link_copies=copies,
            dispatch_bytes=found.copy[f"{prefix}dispatch"],
            combine_bytes=found.copy[f"{prefix}combine"],
        )
        return left | {"scale_out": [share]}


def expert_assumptions(setting: Setting) -> tuple[str, ...]:
    """Return what the routing of tokens takes for granted; nothing where none are sent."""
    views, layout = expert_views(setting.model), setting.layout
    if not views or layout.ep == 1:
        return ()
    group = group_on(setting.hardware, layout)
    return copies_of(views[0], layout, group, setting.exchange).assumptions
