"""Load of the experts of one layer by a micro-batch: tokens, distinct experts, the busiest GPU."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.routing.destinations import imbalance
from dsv3calc.formulas import experts
from dsv3calc.ledger.line import Line, combined, computed, given, total

if TYPE_CHECKING:
    from dsv3calc.accounting.traffic.exchange import Group
    from dsv3calc.model.layer import GroupView

_RANDOM = "every set of experts is equally likely for each token, independently of the others"


def load_lines(
    view: GroupView, group: Group, tokens: Line, etp: Line, *, redundant_experts: Any, factor: Any
) -> list[Line]:
    """Expect the load of a layer's experts by the tokens of a whole expert-parallel group.

    Parameters
    ----------
    view
        The layer.
    group, tokens, etp
        The GPUs, the tokens that each dispatches in a micro-batch, and how many GPUs share an
        expert: they gather each other's tokens, so that an expert computes those of all of them.
    redundant_experts
        Replicas, in slots of their own: a token that needs an expert takes any of its slots.
    factor
        Load of the busiest GPU over the mean that times are computed with.

    Returns
    -------
    Lines ``traffic.group_tokens`` [tokens], ``.tokens_per_expert``, ``.distinct_experts``,
    ``.distinct_experts_per_gpu``, ``.imbalance`` and ``.random_routing.imbalance``.
    """
    routed = view.experts
    assert routed is not None  # noqa: S101 - expert_views lists no other
    scope = routed.scope
    words = "of a micro-batch, all GPUs of the expert-parallel group"
    everyone = combined(
        "traffic.group_tokens",
        "product",
        (tokens, group.gpus, etp),
        unit="tokens",
        convention=f"{words}, after the gather over etp",
    )
    copies = combined("traffic.group_copies", "product", (everyone, routed.chosen), unit="tokens")
    replicas = given("layout.redundant_experts", redundant_experts, "1")
    slots = total("traffic.expert_slots", (routed.count, replicas), unit="1")
    hit_slots = computed(
        "traffic.distinct_expert_slots",
        experts.expected_distinct_experts,
        scope,
        convention=_RANDOM,
        n_routed_experts=slots,
        tokens=everyone,
    )
    return [
        everyone,
        combined(
            "traffic.tokens_per_expert",
            "ratio",
            (copies, routed.count),
            unit="tokens",
            convention=f"mean, one layer, {words}",
        ),
        computed(
            "traffic.distinct_experts",
            experts.expected_distinct_experts,
            scope,
            convention=f"of one layer, hit by the tokens {words}; {_RANDOM}",
            tokens=everyone,
        ),
        combined(
            "traffic.distinct_experts_per_gpu",
            "ratio",
            (hit_slots, group.gpus),
            unit="1",
            convention=f"mean, replicas counted; {_RANDOM}",
        ),
        total(
            "traffic.imbalance",
            (imbalance("assumed", scope, gpus=group.gpus.value, tokens=everyone, factor=factor),),
            unit="ratio",
            convention="busiest GPU divided by the mean, as used for times",
        ),
        imbalance(
            "traffic.random_routing",
            scope,
            gpus=group.gpus.value,
            tokens=everyone,
            factor=None,
            n_routed_experts=slots,
        ),
    ]
