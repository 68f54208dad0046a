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
from dsv3calc.ledger.line import Line, combined, computed, given

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.accounting.placement.rank_order import GroupPlacement

ALGORITHMS = ("ring", "tree", "hierarchical", "switch-reduced")
LINKS = ("scale_up", "scale_out")

_ONE = given("one", 1, "1")
_PHASES = {
    1: given("phases", 1, "1", "each GPU sends every share but its own once"),
    2: given("phases", 2, "1", "a reduce-scatter and an all-gather"),
}


def phases_of(primitive: str) -> Line:
    """Return 2 for an all-reduce, which is a reduce-scatter and an all-gather, else 1."""
    return _PHASES[2 if primitive == "all-reduce" else 1]


class CollectiveBytes:
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


def sent(
    name: str, primitive: str, payload: Line, span: GroupPlacement, algorithm: str
) -> CollectiveBytes:
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


def _ring(name: str, phases: Line, payload: Line, span: GroupPlacement) -> CollectiveBytes:
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
    return CollectiveBytes(
        {
            "scale_up": _on(name, "scale_up", "B", forms.ring_scale_up_bytes, **arguments),
            "scale_out": _on(name, "scale_out", "B", forms.ring_scale_out_bytes, **arguments),
        },
        {
            "scale_up": combined(f"{name}.scale_up_messages_per_call", "difference", (steps, out)),
            "scale_out": out,
        },
    )


def _hierarchical(
    name: str, phases: Line, payload: Line, span: GroupPlacement, *, overlapped: bool
) -> CollectiveBytes:
    ranks = {"scale_up": (span.members, _ONE), "scale_out": (span.nodes, span.members)}
    return CollectiveBytes(
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


def _tree(name: str, phases: Line, payload: Line, span: GroupPlacement) -> CollectiveBytes:
    levels = given(f"{name}.levels", tree_levels(span.nodes.value), "1", "ceil(log2(nodes)) + 1")
    return CollectiveBytes(
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


def _switched(name: str, payload: Line, span: GroupPlacement) -> CollectiveBytes:
    ranks = {
        "scale_up": (span.members, _ONE, _PHASES[2]),
        "scale_out": (span.nodes, span.members, _ONE),
    }
    return CollectiveBytes(
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


def _all_to_all(name: str, payload: Line, span: GroupPlacement) -> CollectiveBytes:
    everyone = computed(f"{name}.messages", forms.exchange_messages, phases=_ONE, ranks=span.ranks)
    near = _on(name, "scale_up", "1", forms.exchange_messages, phases=_ONE, ranks=span.members)
    return CollectiveBytes(
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
