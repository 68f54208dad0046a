"""Where the experts of a layer are placed: in order on GPUs, expert groups on consecutive ones."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.formulas import memory
from dsv3calc.model.architecture import experts_of
from dsv3calc.numbers.ops import elementwise, maximum, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model, MoE


def shared_slots(moe: MoE, layout: Layout) -> int:
    """Return the shared experts that take places of their own, dispatched like routed ones.

    Raises
    ------
    UsageError
        If they are not like routed ones.
    """
    if layout.shared_experts != "routed":
        return 0
    width = moe.n_shared_experts * moe.moe_intermediate_size
    if (moe.shared_expert_intermediate_size or width) != width or moe.moe_latent_size is not None:
        raise UsageError(
            "shared experts whose width differs from that of routed experts cannot use slots of "
            "routed experts",
            "choose a layout whose shared_experts are local",
        )
    return moe.n_shared_experts


def expert_slots(moe: MoE, layout: Layout) -> Any:
    """Return the places for experts of a layer, over the whole expert-parallel group."""
    return memory.expert_slots(
        moe.n_routed_experts, layout.redundant_experts, shared_slots(moe, layout)
    )


def slots_of_layers(model: Model, layout: Layout) -> list[int]:
    """Return the places for experts of each kind of layer that has any."""
    return [expert_slots(moe, layout) for moe in experts_of(model)]


def nodes_of(slots: int, gpus: Any, gpus_per_node: Any, redundant_experts: int) -> Any:
    """Return the nodes of the GPUs that the experts of a layer are spread over.

    Arrays and symbols are taken to be of numbers that divide.

    Raises
    ------
    UsageError
        If experts do not divide among GPUs, or GPUs do not fill nodes.
    """
    if type(gpus) is not int or type(gpus_per_node) is not int:
        return maximum(1, ratio(gpus, gpus_per_node))
    for name, number in (("GPUs", gpus), ("GPUs per node", gpus_per_node)):
        if number < 1:
            raise UsageError(f"{number} {name}", "there is at least one")
    if redundant_experts < 0:
        raise UsageError(f"{redundant_experts} redundant experts", "0 or more")
    most = (slots - redundant_experts) * (gpus - 1)
    if redundant_experts > most:
        raise UsageError(
            f"{redundant_experts:,} redundant experts on {gpus:,} GPUs",
            f"a GPU holds each expert at most once: at most {most:,} additional replicas",
        )
    if slots % gpus:
        fewer = redundant_experts - slots % gpus
        choices = [number for number in range(1, slots + 1) if not slots % number]
        below = max((number for number in choices if number < gpus), default=0)
        above = min((number for number in choices if number > gpus), default=0)
        sizes = either(below or -1, above or -1)
        experts = slots - redundant_experts
        replicas = either(fewer, fewer + gpus if fewer + gpus <= experts else -1)
        others = f", or {replicas} redundant experts" if replicas else ""
        raise UsageError(
            f"{slots:,} experts (replicas counted) do not divide among {gpus:,} GPUs",
            f"take {sizes} GPUs{others}",
        )
    if gpus > gpus_per_node and gpus % gpus_per_node:
        below = gpus - gpus % gpus_per_node
        raise UsageError(
            f"{gpus} GPUs do not fill nodes of {gpus_per_node}",
            f"take {either(below, below + gpus_per_node)} GPUs",
        )
    return max(1, gpus // gpus_per_node)


def either(below: int, above: int) -> str:
    """Return the numbers of two neighbours that exist, for a hint."""
    return " or ".join(str(number) for number in (below, above) if number >= 0)


@lru_cache(maxsize=256)
def missed_share(
    shares: tuple[tuple[tuple[int, ...], float], ...], groups: int, group_slots: int, count: int
) -> float:
    """Return the probability that no expert of a token is at a destination, averaged over them.

    Groups are equal before the law, so any of them may have any share; the slots of a group are
    hit as any set of their number is.
    """
    each = groups * group_slots // count
    kinds = Counter(
        tuple(sorted(_slots_in_groups(number * each, (number + 1) * each, group_slots)))
        for number in range(count)
    )
    missed = 0.0
    for share, probability in shares:
        left = Counter(share)
        left[0] += groups - len(share)
        for kind, destinations_of_kind in kinds.items():
            missed += probability * destinations_of_kind * _all_missed(kind, left, group_slots)
    return missed / count


def missed_shares(
    shares: tuple[tuple[tuple[int, ...], float], ...], groups: int, group_slots: int, count: Any
) -> Any:
    """Return :func:`missed_share` of a count of destinations, or of each of an array.

    Raises
    ------
    UsageError
        For a symbol: shares of groups that a quadrature gives have no closed form.
    """
    if hasattr(count, "free_symbols"):
        raise UsageError(
            "this routing has no closed form in the number of destinations",
            "take the policy unrestricted, or random-groups where each destination is in one group",
        )
    return elementwise(lambda each: missed_share(shares, groups, group_slots, each), count)


def _slots_in_groups(start: int, stop: int, group_slots: int) -> list[int]:
    """Count the slots of a stretch in each group that it meets."""
    found = []
    while start < stop:
        end = min(stop, (start // group_slots + 1) * group_slots)
        found.append(end - start)
        start = end
    return found


def _all_missed(kind: Sequence[int], left: Counter[int], group_slots: int) -> float:
    """Return the probability that groups drawn from ``left`` miss their slots of a destination."""
    if not kind:
        return 1.0
    taken, groups = kind[-1], left.total()  # the fullest first: it is most often fatal
    found = 0.0
    for experts, number in list(left.items()):
        missed = math.comb(group_slots - taken, experts) / math.comb(group_slots, experts)
        if number and missed:
            left[experts] -= 1
            found += number / groups * missed * _all_missed(kind[:-1], left, group_slots)
            left[experts] += 1
    return found
