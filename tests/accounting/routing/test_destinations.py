"""Destinations under each routing policy, against draws of the rule itself."""

import itertools
import math

import numpy as np
import pytest

from dsv3calc.accounting.routing.destinations import (
    GROUP_SCORES,
    LAWS,
    POLICIES,
    destinations,
    imbalance,
    policy_of,
)
from dsv3calc.errors import UsageError
from dsv3calc.schema.model import MoE

DRAW = {
    "uniform": lambda dice, shape: dice.random(shape),
    "sigmoid-normal": lambda dice, shape: 1 / (1 + np.exp(-dice.standard_normal(shape))),
    "exponential": lambda dice, shape: dice.standard_exponential(shape),
}
TOKENS = 40_000


def moe(experts=256, chosen=8, groups=8, kept=4, *, bias=True):
    return MoE(
        n_routed_experts=experts,
        num_experts_per_tok=chosen,
        moe_intermediate_size=2048,
        n_group=groups,
        topk_group=kept,
        routing_bias=bias,
    )


V3 = moe()
V2 = moe(160, 6, 8, 3, bias=False)


def of(layer, **options):
    return destinations("traffic", ("moe", layer), layer, **{"gpus_per_node": 8, **options})


def values(found):
    return [
        line.value
        for line in (found.expert, found.gpu, found.node, found.remote_gpu, found.remote_node)
    ]


def route(layer, scores, best):
    """Follow the rule for each token: the best groups, then the best experts inside them."""
    tokens, groups = len(scores), layer.n_group
    by_group = scores.reshape(tokens, groups, -1)
    group_scores = np.partition(by_group, -best, axis=2)[:, :, -best:].sum(axis=2)
    kept = np.argsort(-group_scores, axis=1)[:, : layer.topk_group]
    barred = np.full((tokens, groups), -np.inf)
    np.put_along_axis(barred, kept, 0, axis=1)
    allowed = (by_group + barred[:, :, None]).reshape(tokens, -1)
    k = layer.num_experts_per_tok
    return np.argpartition(-allowed, k - 1, axis=1)[:, :k]


def distinct(places):
    """Count the different places in each row: mean and standard error."""
    ordered = np.sort(places, axis=1)
    counts = 1 + (np.diff(ordered, axis=1) != 0).sum(axis=1)
    return counts.mean(), counts.std() / len(counts) ** 0.5


def remote(places, own):
    """Count the different places in each row, the own one left out."""
    others = np.where(places == own[:, None], -1, places)
    ordered = np.sort(others, axis=1)
    counts = 1 + (np.diff(ordered, axis=1) != 0).sum(axis=1) - (ordered[:, 0] == -1)
    return counts.mean(), counts.std() / len(counts) ** 0.5


def assert_drawn(found, gpu_of, dice, gpus, per_node):
    own = dice.integers(0, gpus, len(gpu_of))
    for line, (mean, error) in (
        (found.gpu, distinct(gpu_of)),
        (found.node, distinct(gpu_of // per_node)),
        (found.remote_gpu, remote(gpu_of, own)),
        (found.remote_node, remote(gpu_of // per_node, own // per_node)),
    ):
        assert abs(line.value - mean) <= 3 * error + 1e-9, line


LAYOUTS = [
    (V3, "top2-sum", "uniform", 64),
    (V3, "top2-sum", "sigmoid-normal", 64),
    (V3, "top2-sum", "exponential", 64),
    (V3, "top2-sum", "uniform", 32),  # two groups a node
    (V3, "top2-sum", "uniform", 16),  # a group on two GPUs
    (V3, "top2-sum", "exponential", 4),  # two groups a GPU
    (V3, "top2-sum", "uniform", 128),  # a group on two nodes
    (V3, "top-k-over-m-sum", "sigmoid-normal", 256),  # an expert a GPU
    (V3, "max", "uniform", 64),
    (V2, "max", "uniform", 8),  # groups are GPUs, as V2 has them
    (V2, "max", "exponential", 40),  # 4 experts a GPU, 8 groups on 5 nodes
    (V2, "top2-sum", "uniform", 80),
    (moe(64, 4, 16, 3), "top2-sum", "uniform", 32),
    (moe(32, 4, 4, 1), "top2-sum", "sigmoid-normal", 16),
    (moe(16, 6, 4, 3), "top2-sum", "exponential", 16),
]


@pytest.mark.parametrize(("layer", "score", "law", "gpus"), LAYOUTS)
def test_the_group_limited_rule_by_drawing(layer, score, law, gpus):
    dice = np.random.default_rng(2505_09343)
    scores = DRAW[law](dice, (TOKENS, layer.n_routed_experts))
    experts = route(layer, scores, 1 if score == "max" else 2)
    found = of(layer, gpus=gpus, law=law, group_score=score)
    assert found.policy == "group-limited"
    gpu_of = experts // (layer.n_routed_experts // gpus)
    assert_drawn(found, gpu_of, dice, gpus, min(gpus, 8))


def test_the_numbers_of_deepseek_v3():
    """Eight nodes of eight GPUs, where the groups are the nodes."""
    assert [round(value, 3) for value in values(of(V3, gpus=64))[:3]] == [8, 7.491, 3.954]
    nodes = {law: round(of(V3, gpus=64, law=law).node.value, 3) for law in LAWS}
    assert nodes == {"uniform": 3.954, "sigmoid-normal": 3.965, "exponential": 3.973}
    assert round(of(V3, gpus=64, policy="unrestricted").node.value, 3) == 5.295
    assert round(of(V3, gpus=64, policy="random-groups").node.value, 3) == 3.629


def test_correlation_inside_a_group_lowers_the_number_of_nodes():
    """Not a feature, but what the assumption of independent scores hides: 3.39 at 0.3."""
    dice = np.random.default_rng(7)
    shared = dice.standard_normal((TOKENS, 8, 1))
    alone = dice.standard_normal((TOKENS, 8, 32))
    normal = (math.sqrt(0.3) * shared + math.sqrt(0.7) * alone).reshape(TOKENS, -1)
    nodes, _ = distinct(route(V3, 1 / (1 + np.exp(-normal)), 2) // 32)
    assert nodes < of(V3, gpus=64, law="sigmoid-normal").node.value - 0.5
    assert nodes == pytest.approx(3.39, abs=0.02)


@pytest.mark.parametrize("policy", ["random-groups", "unrestricted"])
@pytest.mark.parametrize("gpus", [4, 16, 32, 40, 64, 128])
def test_the_other_policies_by_drawing(policy, gpus):
    layer = V2 if gpus == 40 else V3
    dice = np.random.default_rng(gpus)
    scores = dice.random((TOKENS, layer.n_routed_experts))
    if policy == "random-groups":
        drawn = np.argsort(dice.random((TOKENS, 8)), axis=1)[:, : layer.topk_group]
        barred = np.full((TOKENS, 8), -np.inf)
        np.put_along_axis(barred, drawn, 0, axis=1)
        scores += np.repeat(barred, layer.n_routed_experts // 8, axis=1)
    k = layer.num_experts_per_tok
    experts = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    gpu_of = experts // (layer.n_routed_experts // gpus)
    assert_drawn(of(layer, gpus=gpus, policy=policy), gpu_of, dice, gpus, min(8, gpus))


def placed(layer, gpus, redundant, dice):
    """Place replicas of different experts: each group's with its own, spread over its slots."""
    size = layer.n_routed_experts // layer.n_group
    extra = redundant // layer.n_group
    slots = size + extra
    first = np.zeros((layer.n_routed_experts, 2), dtype=int)
    for group in range(layer.n_group):
        experts = np.concatenate([np.arange(size), np.arange(extra)])
        places = dice.permutation(slots) + group * slots
        for expert, place in zip(experts[::-1], places[::-1], strict=True):
            one = group * size + expert
            first[one, 1] = place if first[one, 1] == 0 else first[one, 1]
            first[one, 0] = place
    return first // ((layer.n_routed_experts + redundant) // gpus)


@pytest.mark.parametrize(("gpus", "redundant"), [(32, 32), (144, 32), (320, 64)])
@pytest.mark.parametrize("policy", ["model", "unrestricted"])
def test_redundant_experts_by_drawing(policy, gpus, redundant):
    """Real replicas on real slots: the stated simplification costs less than half a percent."""
    dice = np.random.default_rng(gpus)
    means = []
    for _ in range(4):
        scores = dice.random((TOKENS // 5, 256))
        layer = V3 if policy == "model" else moe(kept=8)
        experts = route(layer, scores, 2)
        gpu_of_replica = placed(V3, gpus, redundant, dice)
        gpu_of = gpu_of_replica[experts, dice.integers(0, 2, experts.shape)]
        means.append((distinct(gpu_of)[0], distinct(gpu_of // 8)[0]))
    found = of(V3, gpus=gpus, policy=policy, redundant_experts=redundant)
    assert found.gpu.value == pytest.approx(np.mean(means, axis=0)[0], rel=5e-3)
    assert found.node.value == pytest.approx(np.mean(means, axis=0)[1], rel=5e-3)
    assert any("replicas" in each for each in found.assumptions)


@pytest.mark.parametrize("gpus", [1, 2, 8, 32, 64, 128, 256])
def test_all_groups_kept_is_unrestricted(gpus):
    free = values(of(moe(kept=8), gpus=gpus, policy="unrestricted"))
    assert values(of(moe(kept=8), gpus=gpus, policy="group-limited")) == pytest.approx(free)
    assert values(of(moe(kept=8), gpus=gpus, policy="random-groups")) == pytest.approx(free)
    assert policy_of(moe(kept=8)) == "unrestricted"


@pytest.mark.parametrize("policy", POLICIES)
def test_what_stays_at_home(policy):
    alone = of(V3, gpus=1, policy=policy)
    assert values(alone) == pytest.approx([8, 1, 1, 0, 0])
    small = of(V3, gpus=4, gpus_per_node=8, policy=policy)
    assert values(small)[2::2] == pytest.approx([1, 0])
    assert small.remote_gpu.value > 1


@pytest.mark.parametrize("policy", POLICIES)
def test_more_experts_have_more_destinations(policy):
    rows = [values(of(moe(chosen=k), gpus=64, policy=policy)) for k in (1, 2, 4, 8, 12)]
    for fewer, more in itertools.pairwise(rows):
        assert all(a < b for a, b in zip(fewer, more, strict=True))
    assert rows[0][:3] == pytest.approx([1, 1, 1])


def test_policies_are_ordered():
    """A limit lowers the nodes; choosing groups for their best experts raises them again."""
    nodes = {policy: of(V3, gpus=64, policy=policy).node.value for policy in POLICIES}
    assert nodes["random-groups"] < nodes["group-limited"] < 4 < nodes["unrestricted"]


def test_names_conventions_and_what_is_assumed():
    found = of(V3, gpus=64, law="exponential")
    names = [line.name for line in (found.expert, found.gpu, found.node)]
    assert names == [f"traffic.copies_per_token.{kind}" for kind in ("expert", "gpu", "node")]
    assert found.remote_gpu.name == "traffic.remote_copies_per_token.gpu"
    assert found.remote_node.name == "traffic.remote_copies_per_token.node"
    assert found.expert.unit == found.gpu.unit == "1"
    assert "top2-sum" in found.node.convention
    assert "exponential" in found.node.convention
    assert any("exponential" in each for each in found.assumptions)
    for top in (found.expert, found.gpu, found.node, found.remote_gpu, found.remote_node):
        for line in top.walk():
            assert line.evaluate() == line.value
    assert of(V2, gpus=8).group_score == "max"
    assert of(V3, gpus=64, policy="random-groups").group_score == ""


@pytest.mark.parametrize(
    ("layer", "options", "said", "hint"),
    [
        (V3, {"gpus": 48}, "do not divide among 48 GPUs", "32 or 64 GPUs, or 32 redundant"),
        (V3, {"gpus": 0}, "0 GPUs", "at least one"),
        (V3, {"gpus": 16, "gpus_per_node": 0}, "per node", "at least one"),
        (V3, {"gpus": 16, "gpus_per_node": 6}, "do not fill nodes of 6", "12 or 18 GPUs"),
        (V3, {"gpus": 8, "redundant_experts": -8}, "-8 redundant", "0 or more"),
        (V3, {"gpus": 4, "redundant_experts": 4}, "among 8 groups", "0 or 8"),
        (V3, {"gpus": 8, "policy": "best"}, "no routing policy", "group-limited"),
        (V3, {"gpus": 8, "law": "cauchy"}, "no score law", "sigmoid-normal"),
        (V3, {"gpus": 8, "group_score": "mean"}, "no group score", "top2-sum"),
        (moe(kept=3, chosen=8), {"gpus": 8, "group_score": "top-k-over-m-sum"}, "8/3", "top2"),
        (moe(kept=2, chosen=8), {"gpus": 8, "group_score": "top-k-over-m-sum"}, "8/2", "top2"),
        (moe(experts=1024, groups=16, kept=8, chosen=40), {"gpus": 8}, "top-40", "random-groups"),
    ],
)
def test_impossible_groupings_are_refused_with_a_way_out(layer, options, said, hint):
    with pytest.raises(UsageError, match=said) as caught:
        of(layer, **options)
    assert hint in caught.value.hint


def test_redundant_experts_that_no_number_below_helps():
    with pytest.raises(UsageError) as caught:
        of(V3, gpus=512)
    assert caught.value.hint == "take 256 GPUs, or 256 redundant experts"


def test_the_fullest_rank_is_assumed_or_approximated():
    layer = ("moe", V3)
    assert imbalance("traffic", layer, gpus=64, tokens=4096).value == 1
    stated = imbalance("traffic", layer, gpus=64, tokens=4096, factor=1.3)
    assert (stated.value, stated.rule) == (1.3, "given")
    random = imbalance("traffic", layer, gpus=64, tokens=64 * 4096, factor=None)
    assert random.name == "traffic.imbalance"
    assert random.value == pytest.approx(1.0127, abs=1e-4)


def test_names_are_listed():
    assert GROUP_SCORES == ("top2-sum", "top-k-over-m-sum", "max")
    assert LAWS == ("uniform", "sigmoid-normal", "exponential")
    assert POLICIES == ("unrestricted", "random-groups", "group-limited")
