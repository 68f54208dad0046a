"""How many destinations the experts of a token have: experts, GPUs, nodes, own and remote.

Experts stand on the GPUs of their group in order: expert groups on consecutive GPUs, GPUs on
consecutive nodes. Expectations are over tokens; what each policy takes for granted is listed in
``Destinations.assumptions``.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.placement.expert_slots import either, missed_shares, nodes_of
from dsv3calc.accounting.routing import rule, score_laws
from dsv3calc.errors import UsageError
from dsv3calc.formulas import routing
from dsv3calc.ledger.line import Line, computed, field, given, total
from dsv3calc.numbers import ops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.ledger.line import Scope
    from dsv3calc.schema.model import MoE

POLICIES = ("unrestricted", "random-groups", "group-limited")
"""How a token's experts are chosen; ``model`` is the last where the model limits groups."""

LAWS = score_laws.LAWS
"""Laws of the scores, for ``group-limited``."""

GROUP_SCORES = ("top2-sum", "top-k-over-m-sum", "max")
"""What a group is chosen by: the sum of its two best scores, of its k/M best, or the best.

``model`` is ``top2-sum`` where the router has a balancing bias (DeepSeek-V3's ``noaux_tc``) and
``max`` elsewhere (DeepSeek-V2's ``group_limited_greedy``).
"""


class Destinations:
    """What one token of one MoE layer is sent to, in expectation.

    ``expert``, ``gpu`` and ``node`` count different destinations, the token's own included;
    ``remote_gpu`` and ``remote_node`` leave its own out. ``policy`` and ``group_score`` are the
    ones used (the second empty where no group is scored); ``assumptions`` are to be printed.
    """

    __slots__ = (
        "assumptions", "expert", "gpu", "group_score", "node", "policy", "remote_gpu",
        "remote_node",
    )  # fmt: skip

    def __init__(
        self,
        expert: Line,
        gpu: tuple[Line, Line],
        node: tuple[Line, Line],
        *,
        policy: str,
        group_score: str,
        assumptions: tuple[str, ...],
    ) -> None:
        self.expert = expert
        self.gpu, self.remote_gpu = gpu
        self.node, self.remote_node = node
        self.policy = policy
        self.group_score = group_score
        self.assumptions = assumptions


def destinations(
    prefix: str,
    moe_scope: Scope,
    moe: MoE,
    *,
    gpus: Any,
    gpus_per_node: Any,
    policy: str = "model",
    law: str = "uniform",
    redundant_experts: int = 0,
    group_score: str = "model",
) -> Destinations:
    """Return the expected number of GPUs and nodes to which a token of an MoE layer is sent.

    Parameters
    ----------
    prefix
        Beginning of the lines' names.
    moe_scope, moe
        The layer, as a scope for the ledger and as itself.
    gpus
        GPUs over which the experts of a layer are spread evenly: the EP size. An array, or a symbol
        where the policy has a closed form: of ``random-groups`` each GPU and node then lies inside
        one group.
    gpus_per_node
        GPUs of a node; a group smaller than a node is one node.
    policy, law, group_score
        One of ``POLICIES``, ``LAWS`` and ``GROUP_SCORES``, or ``model`` for the first and last.
    redundant_experts
        Replicas, in slots of their own.

    Returns
    -------
    Lines ``PREFIX.copies_per_token.{expert,gpu,node}`` and
    ``PREFIX.remote_copies_per_token.{gpu,node}``.

    Raises
    ------
    UsageError
        If a name is unknown, or experts, GPUs, nodes and groups do not divide.
    """
    policy = policy_of(moe, policy)
    _known("score law", law, LAWS)
    slots = moe.n_routed_experts + redundant_experts
    nodes = nodes_of(slots, gpus, gpus_per_node, redundant_experts)
    shares, score, convention = _shares_of_groups(moe, policy, law, group_score)
    if shares and slots % moe.n_group:
        fewer = redundant_experts - slots % moe.n_group
        raise UsageError(
            f"{redundant_experts} redundant experts do not divide among {moe.n_group} groups",
            f"take {either(fewer, fewer + moe.n_group)}, or the policy unrestricted",
        )

    def both(kind: str, count: Any) -> tuple[Line, Line]:
        missed = _missed_line(
            f"{prefix}.missed.{kind}", moe_scope, moe, count, slots, shares, policy, convention
        )
        distinct = computed(
            f"{prefix}.copies_per_token.{kind}",
            routing.distinct_destinations,
            convention=f"{convention}; own {kind} included",
            destinations=count,
            missed=missed,
        )
        remote = computed(
            f"{prefix}.remote_copies_per_token.{kind}",
            routing.remote_destinations,
            convention=f"{convention}; own {kind} left out",
            distinct=distinct,
            destinations=count,
        )
        return distinct, remote

    top_k = field(moe_scope, "num_experts_per_tok", "1")
    return Destinations(
        total(f"{prefix}.copies_per_token.expert", (top_k,), convention="one copy per expert"),
        both("gpu", gpus),
        both("node", nodes),
        policy=policy,
        group_score=score,
        assumptions=_assumptions(policy, law, score, redundant_experts),
    )


def _shares_of_groups(
    moe: MoE, policy: str, law: str, group_score: str
) -> tuple[rule.Shares, str, str]:
    """Return the shares of a policy that limits groups, the score of a group, and a convention."""
    if policy == "unrestricted":
        return {}, "", policy
    size = moe.n_routed_experts // moe.n_group
    if policy == "random-groups":
        shares = rule.random_groups(moe.topk_group, size, moe.num_experts_per_tok)
        return shares, "", policy
    score, best = _best_of(moe, group_score)
    shares = rule.group_limited(
        moe.n_group, moe.topk_group, size, moe.num_experts_per_tok, best, law
    )
    return shares, score, f"group-limited, group score {score}, independent {law} scores"


def policy_of(moe: MoE, policy: str = "model") -> str:
    """Return the routing policy by name; ``model`` is that of the model.

    Raises
    ------
    UsageError
        If there is no such policy.
    """
    if policy == "model":
        return "group-limited" if moe.topk_group < moe.n_group else "unrestricted"
    _known("routing policy", policy, POLICIES)
    return policy


def imbalance(
    prefix: str,
    moe_scope: Scope,
    *,
    gpus: Any,
    tokens: Any,
    factor: float | None = 1,
    **arguments: Any,
) -> Line:
    """Return the load of the fullest GPU over the mean: a stated factor, or the approximation.

    Parameters
    ----------
    prefix
        Beginning of the line's name.
    moe_scope
        The layer, as a scope for the ledger.
    gpus
        GPUs over which the experts of a layer are spread.
    tokens
        Tokens of all these GPUs together.
    factor
        The assumed factor; None asks for that of random, uniform routing.
    **arguments
        Of the approximation, in place of the layer's: its experts with replicas, say.
    """
    if factor is not None:
        return given(
            f"{prefix}.imbalance", factor, "1", "most loaded rank divided by the mean, assumed"
        )
    return computed(
        f"{prefix}.imbalance",
        routing.hottest_rank,
        moe_scope,
        convention="most loaded rank divided by the mean; approximation for independent uniform "
        "routing, within 5 % from 8 copies per GPU on",
        destinations=gpus,
        tokens=tokens,
        **arguments,
    )


def _missed_line(
    name: str,
    moe_scope: Scope,
    moe: MoE,
    count: Any,
    slots: int,
    shares: rule.Shares,
    policy: str,
    convention: str,
) -> Line:
    """Give the mean probability that a token has no expert at one of ``count`` destinations."""
    each = ops.exact_div(slots, count)
    group_slots = slots // moe.n_group
    if not shares:
        return computed(
            name,
            routing.missed_chance,
            moe_scope,
            convention=convention,
            destinations=count,
            slots=each,
        )
    inside_one = hasattr(count, "free_symbols") or (type(each) is int and not group_slots % each)
    if policy == "random-groups" and inside_one:
        inside = computed(
            f"{name}_in_chosen_group",
            routing.missed_chance,
            moe_scope,
            destinations=ops.exact_div(moe.topk_group * group_slots, each),
            slots=each,
        )
        return computed(name, routing.missed_of_random_groups, moe_scope, missed=inside)
    value = missed_shares(tuple(sorted(shares.items())), moe.n_group, group_slots, count)
    how = "exact sum over the shares of groups"
    if policy == "group-limited":
        how = f"Gauss-Legendre of {rule.ORDER} points or more in each piece"
    return given(name, value, "1", f"{convention}; {how}")


def _best_of(moe: MoE, group_score: str) -> tuple[str, int]:
    """Return the name of the group score, and how many of its best experts a group sums."""
    if group_score == "model":
        group_score = "top2-sum" if moe.routing_bias else "max"
    _known("group score", group_score, GROUP_SCORES)
    if group_score != "top-k-over-m-sum":
        return group_score, 1 if group_score == "max" else 2
    best, rest = divmod(moe.num_experts_per_tok, moe.topk_group)
    if rest or best not in (1, 2):
        raise UsageError(
            f"a group score of the {moe.num_experts_per_tok}/{moe.topk_group} best experts is not "
            "implemented: 1 or 2 are",
            "ask for --group-score top2-sum or max",
        )
    return group_score, best


def _known(what: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise UsageError(f"no {what} is called {name}", f"there are {', '.join(names)}")


def _assumptions(policy: str, law: str, score: str, redundant_experts: int) -> tuple[str, ...]:
    found = ["tokens are spread uniformly over the GPUs of the expert-parallel group"]
    if policy == "group-limited":
        found.append(
            f"router scores are modelled as independent and identically distributed ({law}); "
            f"group score: {score}; correlated scores would reach fewer groups"
        )
    else:
        found.append("every set of experts that the policy allows is equally likely")
    if redundant_experts:
        found.append(
            f"{redundant_experts:,} redundant experts: a token goes to a random replica of each of "
            "its experts; replicas stay in their group and fill its GPUs evenly"
        )
    return tuple(found)
