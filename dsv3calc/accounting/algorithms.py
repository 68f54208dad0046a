"""What a collective sends on each link, by algorithm: ring, tree, hierarchical, switch-reduced.

The members of a group in one node share its scale-out traffic evenly, each over its own link.
``tree`` is NCCL's: a chain in the node and a double binary tree between nodes, for all-reduce;
reduce-scatter and all-gather stay rings. ``hierarchical`` exchanges in the node, then each share
between nodes, one after the other. ``switch-reduced`` adds up in the switches of both networks; a
reduce-scatter or all-gather gains nothing from it in the direction that carries more, and is then
counted as ``hierarchical``, its two phases overlapped. An all-to-all sends straight to its
destination whatever the algorithm.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.formulas import algorithms as forms
from dsv3calc.formulas import transfers
from dsv3calc.ledger import Line, combined, computed, field, given, total

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.accounting.collective_calls import Made
    from dsv3calc.accounting.rank_order import Span
    from dsv3calc.schema.hardware import Hardware

ALGORITHMS = ("ring", "tree", "hierarchical", "switch-reduced")
PRIMITIVES = ("all-reduce", "reduce-scatter", "all-gather", "all-to-all")
LINKS = ("scale_up", "scale_out")

_ONE = given("one", 1, "1")
_PHASES = {
    1: given("phases", 1, "1", "each GPU sends every share but its own once"),
    2: given("phases", 2, "1", "a reduce-scatter and an all-gather"),
}

_ALONE: dict[str, Any] = {
    "imbalance": given("imbalance", 1, "ratio", "all GPUs of a group send as much"),
    "rounds": given("rounds", 0, "1", "latencies are added to the time of both links"),
    "latency": given("latency", 0, "s"),
}
"""Of the time that bytes alone take on a link."""


def phases_of(primitive: str) -> Line:
    """Return 2 for an all-reduce, which is a reduce-scatter and an all-gather, else 1."""
    return _PHASES[2 if primitive == "all-reduce" else 1]


class Sent:
    """Bytes and messages of one call on each link, and whether the links work at the same time."""

    __slots__ = ("bytes", "messages", "overlapped")

    def __init__(
        self, moved: dict[str, Line], messages: dict[str, Line], *, overlapped: bool = True
    ) -> None:
        self.bytes = moved
        self.messages = messages
        self.overlapped = overlapped


def check_algorithm(algorithm: str) -> None:
    """Refuse a name that is none of :data:`ALGORITHMS`.

    Raises
    ------
    UsageError
        With the names that there are.
    """
    if algorithm not in ALGORITHMS:
        raise UsageError(
            f"unknown collective algorithm '{algorithm}'", f"choose from {', '.join(ALGORITHMS)}"
        )


def sent(name: str, primitive: str, payload: Line, span: Span, algorithm: str) -> Sent:
    """Count what one call of a collective has the busiest GPU of a group send.

    ``payload`` is the whole tensor; of an all-to-all, what one GPU hands in.
    """
    check_algorithm(algorithm)
    if primitive == "all-to-all":
        return _all_to_all(name, payload, span)
    phases = phases_of(primitive)
    if algorithm == "tree" and primitive == "all-reduce":
        return _tree(name, phases, payload, span)
    if algorithm == "switch-reduced" and primitive == "all-reduce":
        return _switched(name, payload, span)
    if algorithm in ("hierarchical", "switch-reduced"):
        return _hierarchical(name, phases, payload, span, overlapped=algorithm == "switch-reduced")
    return _ring(name, phases, payload, span)


def _on(name: str, link: str, unit: str, function: Callable[..., Any], **arguments: Any) -> Line:
    what = "bytes" if unit == "B" else "messages"
    return computed(f"{name}.{link}_{what}_per_call", function, unit=unit, **arguments)


def _ring(name: str, phases: Line, payload: Line, span: Span) -> Sent:
    arguments = {
        "phases": phases, "members": span.members, "nodes": span.nodes, "payload": payload
    }  # fmt: skip
    steps = computed(f"{name}.steps", forms.exchange_messages, phases=phases, ranks=span.ranks)
    several = computed(
        f"{name}.several_nodes", forms.switched_messages, phases=_ONE, ranks=span.nodes
    )
    out = combined(
        f"{name}.scale_out_messages_per_call",
        "product",
        (steps, several),
        convention="every step of a ring over several nodes waits for the link between them",
    )
    return Sent(
        {
            "scale_up": _on(name, "scale_up", "B", forms.ring_scale_up_bytes, **arguments),
            "scale_out": _on(name, "scale_out", "B", forms.ring_scale_out_bytes, **arguments),
        },
        {
            "scale_up": combined(f"{name}.scale_up_messages_per_call", "difference", (steps, out)),
            "scale_out": out,
        },
    )


def _hierarchical(name: str, phases: Line, payload: Line, span: Span, *, overlapped: bool) -> Sent:
    ranks = {"scale_up": (span.members, _ONE), "scale_out": (span.nodes, span.members)}
    return Sent(
        {
            link: _on(
                name, link, "B", forms.exchange_bytes,
                phases=phases, ranks=here, sharers=sharers, payload=payload,
            )
            for link, (here, sharers) in ranks.items()
        },
        {
            link: _on(name, link, "1", forms.exchange_messages, phases=phases, ranks=here)
            for link, (here, _) in ranks.items()
        },
        overlapped=overlapped,
    )  # fmt: skip


def _tree(name: str, phases: Line, payload: Line, span: Span) -> Sent:
    levels = given(f"{name}.levels", tree_levels(span.nodes.value), "1", "ceil(log2(nodes)) + 1")
    return Sent(
        {
            "scale_up": _on(
                name, "scale_up", "B", forms.exchange_bytes,
                phases=phases, ranks=span.members, sharers=_ONE, payload=payload,
            ),
            "scale_out": _on(
                name, "scale_out", "B", forms.tree_scale_out_bytes,
                members=span.members, nodes=span.nodes, payload=payload,
            ),
        },
        {
            "scale_up": _on(
                name, "scale_up", "1", forms.exchange_messages,
                phases=phases, ranks=span.members,
            ),
            "scale_out": _on(
                name, "scale_out", "1", forms.exchange_messages, phases=phases, ranks=levels
            ),
        },
    )  # fmt: skip


def tree_levels(nodes: Any) -> Any:
    """Return the levels of a binary tree of so many nodes, the root's included."""
    if hasattr(nodes, "free_symbols"):
        import sympy

        return sympy.ceiling(sympy.log(nodes, 2)) + 1
    if hasattr(nodes, "__array_priority__"):
        import numpy as np

        return np.ceil(np.log2(nodes)) + 1
    return (int(nodes) - 1).bit_length() + 1


def _switched(name: str, payload: Line, span: Span) -> Sent:
    ranks = {
        "scale_up": (span.members, _ONE, _PHASES[2]),
        "scale_out": (span.nodes, span.members, _ONE),
    }
    return Sent(
        {
            link: _on(
                name, link, "B", forms.switched_bytes,
                ranks=here, sharers=sharers, payload=payload,
            )
            for link, (here, sharers, _) in ranks.items()
        },
        {
            link: _on(name, link, "1", forms.switched_messages, phases=phases, ranks=here)
            for link, (here, _, phases) in ranks.items()
        },
    )  # fmt: skip


def _all_to_all(name: str, payload: Line, span: Span) -> Sent:
    everyone = computed(f"{name}.messages", forms.exchange_messages, phases=_ONE, ranks=span.ranks)
    near = _on(name, "scale_up", "1", forms.exchange_messages, phases=_ONE, ranks=span.members)
    return Sent(
        {
            "scale_up": _on(
                name, "scale_up", "B", forms.exchange_bytes,
                phases=_ONE, ranks=span.members, sharers=span.nodes, payload=payload,
            ),
            "scale_out": _on(
                name, "scale_out", "B", forms.exchange_bytes,
                phases=_ONE, ranks=span.nodes, sharers=_ONE, payload=payload,
            ),
        },
        {
            "scale_up": near,
            "scale_out": combined(
                f"{name}.scale_out_messages_per_call", "difference", (everyone, near)
            ),
        },
    )  # fmt: skip


class Links:
    """Bandwidth and message latency of the two links of a GPU.

    ``bandwidth`` is ``nominal`` or ``achieved``. A latency of None leaves messages out of the time.
    """

    __slots__ = ("bandwidths", "convention", "hardware", "latencies")

    def __init__(
        self, hardware: Hardware, bandwidth: str, latencies: dict[str, float] | None = None
    ) -> None:
        if bandwidth not in ("nominal", "achieved"):
            raise UsageError(f"unknown bandwidth '{bandwidth}'", "nominal or achieved")
        self.hardware = hardware
        self.bandwidths: dict[str, Line | None] = {}
        for name in LINKS:
            link = getattr(hardware, name)
            if link is not None and getattr(link, bandwidth) is None:
                raise UsageError(
                    f"{hardware.name} has no {bandwidth} bandwidth of {link.name}",
                    "use its nominal bandwidth",
                )
            self.bandwidths[name] = (
                None if link is None else field((f"hardware.{name}", link), bandwidth, "B/s")
            )
        self.latencies = {
            name: given(f"latency.{name}", value, "s", "of each message")
            for name, value in (latencies or {}).items()
        }
        self.convention = f"{bandwidth} bandwidth, {'with' if latencies else 'without'} latency"

    def time(
        self, name: str, moved: dict[str, Line], messages: dict[str, Line], *, overlapped: bool
    ) -> Line:
        """Bound the time of a collective: of both links at once, or of one after the other.

        Raises
        ------
        UsageError
            If bytes leave a node of hardware that has no scale-out link.
        """
        times = []
        for link in LINKS:
            bandwidth = self.bandwidths[link]
            if bandwidth is not None:
                times.append(
                    computed(
                        f"{name}.{link}_time",
                        transfers.transfer_time,
                        moved=moved[link],
                        link_bandwidth=bandwidth,
                        **_ALONE,
                    )
                )
            elif type(moved[link].value) is not int or moved[link].value:
                raise UsageError(
                    f"{name} leaves the scale-up domain, and {self.hardware.name} has no scale_out",
                    "choose other --hardware, or a layout of one domain",
                )
        rule = "maximum" if overlapped else "sum"
        parts = [combined(f"{name}.bandwidth_time", rule, times)]
        parts += [
            combined(f"{name}.{link}_latency", "product", (messages[link], latency), unit="s")
            for link, latency in self.latencies.items()
        ]
        return total(f"{name}.time", parts, convention=self.convention)


def known_bandwidth(hardware: Hardware, bandwidth: str) -> bool:
    """Tell whether a device states its ``nominal`` or ``achieved`` bandwidth of every link."""
    links = (getattr(hardware, name) for name in LINKS)
    return all(getattr(link, bandwidth) is not None for link in links if link is not None)


def bandwidth_lines(
    prefix: str,
    primitive: str,
    payload: Any,
    span: Span,
    *,
    hardware: Hardware,
    algorithm: str = "ring",
    bandwidth: str = "nominal",
    latencies: dict[str, float] | None = None,
) -> list[Line]:
    """Give the time of one collective alone, and the bandwidths that a benchmark would report.

    Returns
    -------
    Lines ``PREFIX.time`` [s], ``.algorithm_bandwidth`` and ``.bus_bandwidth`` [B/s].

    Raises
    ------
    UsageError
        If the primitive or the algorithm is unknown, or the group has one member.
    """
    if primitive not in PRIMITIVES:
        raise UsageError(f"unknown collective '{primitive}'", f"one of {', '.join(PRIMITIVES)}")
    if type(span.ranks.value) is int and span.ranks.value == 1:
        raise UsageError("a group of one GPU sends nothing", "choose a group of two or more")
    size = given(f"{prefix}.payload", payload, "B", "the whole tensor")
    return _rates(prefix, primitive, size, span, algorithm, Links(hardware, bandwidth, latencies))


def rate_lines(made: Made, links: dict[str, Links]) -> list[Line]:
    """Give what a benchmark would print of one collective of a layout.

    Parameters
    ----------
    made
        The collective.
    links
        Links by the name of the time that they give: ``time``, ``achieved.time``.

    Returns
    -------
    Lines ``NAME.payload_bytes`` [B], ``.calls_per_gpu`` in a step, and of one call by itself
    ``NAME.call.algorithm_bandwidth`` and ``.call.bus_bandwidth`` [B/s], over the time that is
    their argument; with the achieved bandwidth of the links ``NAME.call.achieved.bus_bandwidth``
    and so on.
    """
    lines = [
        total(
            f"{made.name}.payload_bytes",
            (made.payload,),
            convention="of one call, the whole tensor",
        ),
        total(f"{made.name}.calls_per_gpu", (made.calls,), convention="in a step"),
    ]
    for what, each in links.items():
        prefix = f"{made.name}.call.{what}".removesuffix(".time")
        _, *rates = _rates(prefix, made.primitive, made.payload, made.span, made.algorithm, each)
        lines += rates
    return lines


def _rates(
    prefix: str, primitive: str, payload: Line, span: Span, algorithm: str, links: Links
) -> list[Line]:
    call = sent(prefix, primitive, payload, span, algorithm)
    seconds = links.time(prefix, call.bytes, call.messages, overlapped=call.overlapped)
    return [
        seconds,
        computed(
            f"{prefix}.algorithm_bandwidth",
            forms.algorithm_bandwidth,
            convention=f"one call, {algorithm}; {links.convention}",
            payload=payload,
            seconds=seconds,
        ),
        computed(
            f"{prefix}.bus_bandwidth",
            forms.bus_bandwidth,
            convention=f"one call, {algorithm}; {links.convention}",
            phases=phases_of(primitive),
            ranks=span.ranks,
            payload=payload,
            seconds=seconds,
        ),
    ]
