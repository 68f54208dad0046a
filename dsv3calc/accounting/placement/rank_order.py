"""Which GPUs of a group share a node, from the order in which a layout numbers its GPUs.

GPUs are numbered with the first axis of ``rank_order`` varying fastest, and nodes are filled with
consecutive numbers, as Megatron-Core does. A stage's GPUs are numbered twice: tp x cp x dp for
attention (``ep`` is passed over in the order), and etp x ep x edp for the experts (``cp`` is passed
over; etp takes tp's place and edp takes dp's). Both numberings keep the pipeline's groups.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.formulas import collectives, rank_groups
from dsv3calc.ledger.line import Line, combined, computed, field
from dsv3calc.numbers import ops

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.schema.layout import Layout

ATTENTION: dict[str, str] = {"tp": "tp", "cp": "cp", "dp": "dp", "pp": "pp"}
"""Axis of ``rank_order`` -> degree of the layout, where attention is computed."""

EXPERTS: dict[str, str] = {"tp": "etp", "ep": "ep", "dp": "edp", "pp": "pp"}
"""The same where experts are computed."""

GROUPS: dict[str, tuple[str, ...]] = {
    **{axis: (axis,) for axis in ("tp", "cp", "dp", "pp", "etp", "ep", "edp")},
    "data": ("dp", "cp"),
}
"""Groups by name: ``data`` is dp x cp, over which dense gradients are reduced."""


class GroupPlacement:
    """A group of GPUs: how many share a node, over how many nodes, and their total."""

    __slots__ = ("members", "nodes", "ranks")

    def __init__(self, members: Line, nodes: Line, ranks: Line) -> None:
        self.members = members
        self.nodes = nodes
        self.ranks = ranks


def _numbering(axis: str) -> Mapping[str, str]:
    return EXPERTS if axis in ("etp", "ep", "edp") else ATTENTION


def degree(layout: Layout, axis: str) -> Line:
    """Return the degree of an axis; ``edp`` follows from the others."""
    scope = ("layout", layout)
    if axis == "edp":
        return computed("layout.edp", collectives.expert_replicas, scope)
    return field(scope, axis, "1")


def _faster(layout: Layout, axis: str) -> list[Line]:
    """List the degrees of the axes that vary faster than one."""
    numbering = _numbering(axis)
    found = []
    for name in layout.rank_order:
        if numbering.get(name) == axis:
            break
        if name in numbering:
            found.append(degree(layout, numbering[name]))
    return found


def stride(layout: Layout, axis: str, name: str = "stride") -> Line:
    """Return how far apart neighbours of an axis are in the numbering of GPUs."""
    return combined(name, "product", _faster(layout, axis), unit="1")


def gpus_per_node(layout: Layout, domain_size: Any, *, experts: bool = True) -> Any:
    """Return how many GPUs of each scale-up domain a layout uses.

    All of them where its groups then fill nodes evenly: each group inside a node, or as many of
    its members in every node that it touches. Otherwise the most with which they do, and the other
    GPUs of a domain are taken to be left idle: DeepSeek-V3's layout uses 64 of NVL72's 72. A
    ``domain_size`` of None joins all GPUs. Symbols are taken as they are, for even ones.
    The experts' groups count where ``experts`` says that layers have them.
    """
    if domain_size is None:
        return layout.gpus
    names = ATTENTION if not experts else [axis for axis in GROUPS if axis != "data"]
    axes = [(degree(layout, axis).value, stride(layout, axis).value) for axis in names]
    most = ops.minimum(domain_size, layout.gpus)
    return ops.apply(_most_that_fill, most, *chain.from_iterable(axes), symbolic=most)


def _most_that_fill(most: Any, *axes: Any) -> Any:
    """Return the most GPUs of a node, up to ``most``, that all groups fill evenly.

    ``axes`` are the GPUs of a group and how far apart they are, of one axis after the other:
    numbers, or arrays.
    """
    if all(type(each) is int for each in (most, *axes)):
        return next((size for size in range(most, 1, -1) if _all_fill(size, axes)), 1)
    return _most_of_rows(int(most.max()), most, axes)


def _most_of_rows(size: int, most: Any, axes: Sequence[Any]) -> Any:
    """Return the most GPUs up to ``size`` of each row of arrays, as :func:`_most_that_fill`."""
    if size == 1:
        return 1
    fills = (most >= size) & _all_fill(size, axes)
    found, rest = ops.where(fills, size, 1), (~fills).nonzero()
    if len(rest[0]):  # few rows of most spaces
        left, *others = (each[rest] if getattr(each, "ndim", 0) else each for each in (most, *axes))
        found[rest] = _most_of_rows(size - 1, left, others)
    return found


def _all_fill(size: int, axes: Sequence[Any]) -> Any:
    """Tell whether the groups of all axes fill nodes evenly."""
    found: Any = True
    for ranks, step in zip(axes[::2], axes[1::2], strict=True):
        if found is False:
            break
        found = found & _fills(ranks, step, size)
    return found


def _fills(ranks: Any, step: Any, size: int) -> Any:
    """Tell whether groups of ``ranks`` GPUs that are ``step`` apart fill nodes evenly."""
    reach = ops.maximum(ops.floor_div(size, step), 1)
    even = _divides(ranks, reach) | _divides(reach, ranks)
    return (ranks == 1) | (step >= size) | (_divides(step, size) & even)


def _divides(one: Any, other: Any) -> Any:
    return other / one == ops.floor_div(other, one)  # a remainder of floats takes far longer


def check_pipeline(layout: Layout, *, experts: bool = True) -> None:
    """Refuse an order in which attention and experts would form different pipelines.

    Where no layer has experts (``experts`` is False) any order will do.

    Raises
    ------
    UsageError
        If neighbouring stages are not equally far apart in both numberings.
    """
    if not experts:
        return
    here = stride(layout, "pp").value
    there: Any = 1
    for name in layout.rank_order[: layout.rank_order.index("pp")]:
        if name in EXPERTS:
            there = there * degree(layout, EXPERTS[name]).value
    if type(here) is int and type(there) is int and layout.pp != 1 and here != there:
        raise UsageError(
            f"{layout.name}: with rank_order {', '.join(layout.rank_order)} pipeline stages are "
            f"{here} GPUs apart for attention and {there} for experts",
            "put pp last, or make tp x cp x dp and etp x ep x edp agree before it",
        )


def placement_of(prefix: str, layout: Layout, group: str, node: Line) -> GroupPlacement:
    """Return how a group of :data:`GROUPS` lies on nodes of ``node`` GPUs."""
    spans = [_axis_span(f"{prefix}.{axis}", layout, axis, node) for axis in GROUPS[group]]
    return spans[0] if len(spans) == 1 else crossed(f"{prefix}.{group}", spans)


def _axis_span(name: str, layout: Layout, axis: str, node: Line) -> GroupPlacement:
    ranks = degree(layout, axis)
    members = computed(
        f"{name}.members",
        rank_groups.members_per_node,
        ranks=ranks,
        rank_stride=stride(layout, axis, f"{name}.stride"),
        gpus_per_node=node,
    )
    nodes = computed(f"{name}.nodes", rank_groups.nodes_of_group, ranks=ranks, members=members)
    return GroupPlacement(members, nodes, ranks)


def crossed(name: str, spans: list[GroupPlacement]) -> GroupPlacement:
    """Return the group that joins groups of several axes."""
    return GroupPlacement(
        *(
            combined(f"{name}.{part}", "product", [getattr(span, part) for span in spans])
            for part in GroupPlacement.__slots__
        )
    )


def mirrored_span(prefix: str, layout: Layout, node: Line, two: Line) -> GroupPlacement:
    """Return a pair of ``two`` ranks at the same distance from either end of a pipeline."""
    members = computed(
        f"{prefix}.pair.members",
        rank_groups.mirrored_members,
        pp=degree(layout, "pp"),
        members=placement_of(prefix, layout, "pp", node).members,
    )
    nodes = computed(f"{prefix}.pair.nodes", rank_groups.nodes_of_group, ranks=two, members=members)
    return GroupPlacement(members, nodes, two)
