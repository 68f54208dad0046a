"""The quadrature of group-limited routing, and what it is made of."""

import itertools
import math

import pytest

from dsv3calc.accounting.placement.expert_slots import missed_share
from dsv3calc.accounting.routing.destinations import rule as routing_rule
from dsv3calc.accounting.routing.known_shares import KNOWN
from dsv3calc.accounting.routing.quadrature import legendre
from dsv3calc.accounting.routing.score_laws import LAWS, SCORE_LAWS
from dsv3calc.errors import UsageError


@pytest.mark.parametrize(
    ("groups", "size", "kept", "chosen"), [(3, 2, 2, 2), (3, 2, 2, 3), (4, 2, 2, 2), (2, 3, 1, 2)]
)
def test_the_best_expert_s_rule_over_every_order(groups, size, kept, chosen):
    """The maximum knows ranks alone: every order of the experts is equally likely."""
    counts = {}
    orders = 0
    for order in itertools.permutations(range(groups * size)):  # order[expert] is its rank
        best = [max(order[group * size : (group + 1) * size]) for group in range(groups)]
        allowed = sorted(range(groups), key=best.__getitem__)[-kept:]
        pool = [group * size + each for group in allowed for each in range(size)]
        experts = sorted(pool, key=order.__getitem__)[-chosen:]
        share = [sum(expert // size == group for expert in experts) for group in allowed]
        key = tuple(sorted(share, reverse=True))
        counts[key] = counts.get(key, 0) + 1
        orders += 1
    found = routing_rule.group_limited(groups, kept, size, chosen, 1)
    for share, probability in found.items():
        assert probability == pytest.approx(counts.get(share, 0) / orders, abs=2e-6)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("groups", "kept", "size", "chosen"), [(8, 4, 32, 8), (8, 3, 20, 6)])
def test_the_quadrature_has_settled(monkeypatch, law, groups, kept, size, chosen):
    asked = (groups, kept, size, chosen, 2, law)
    found = routing_rule.group_limited(*asked)
    monkeypatch.setattr(routing_rule, "ORDER", 3 * routing_rule.ORDER)
    finer = routing_rule.integrated(*asked)
    hit = [
        sum(p * sum(n > 0 for n in share) for share, p in each.items()) for each in (found, finer)
    ]
    assert hit[0] == pytest.approx(hit[1], rel=1e-5)
    assert sum(found.values()) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("rule", KNOWN, ids=str)
def test_the_shares_that_are_kept_are_those_of_the_quadrature(rule):
    found = routing_rule.group_limited(*rule)
    assert found == pytest.approx(routing_rule.integrated(*rule), rel=1e-12, abs=0)
    assert list(found) == list(routing_rule.integrated(*rule))
    assert sum(found.values()) == pytest.approx(1, rel=1e-12)


def test_a_coarse_quadrature_is_refused(monkeypatch):
    monkeypatch.setattr(routing_rule, "_MOST_ORDER", 2)
    monkeypatch.setattr(routing_rule, "ORDER", 2)
    with pytest.raises(UsageError, match="does not converge"):
        routing_rule.integrated(8, 4, 32, 8)


def test_unrestricted_shares_give_the_closed_form():
    shares = tuple(sorted(routing_rule.random_groups(8, 32, 8).items()))
    assert sum(probability for _, probability in shares) == pytest.approx(1)
    for count in (4, 8, 64, 256):
        each = 256 // count
        closed = math.comb(256 - each, 8) / math.comb(256, 8)
        assert missed_share(shares, 8, 32, count) == pytest.approx(closed)


def test_legendre_integrates_polynomials_exactly():
    for order in (1, 2, 5, 14, 56):
        rule = legendre(order)
        assert [place for place, _ in rule] == sorted(place for place, _ in rule)
        for power in range(2 * order):
            found = sum(weight * place**power for place, weight in rule)
            assert found == pytest.approx(1 / (power + 1), rel=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_a_law_s_partner_undoes_its_quantile(law):
    entry = SCORE_LAWS[law]
    for u in (0.001, 0.02, 0.2, 0.5, 0.7, 0.95, 0.99, 0.9999):
        for v in (0.003, 0.3, 0.8, 0.9999):
            t = entry.quantile(u) + entry.quantile(v)
            assert entry.partner(t, u) == pytest.approx(v, rel=1e-6, abs=1e-8)
        assert entry.partner(0.0, u) == pytest.approx(0, abs=1e-12)


def test_all_experts_of_the_chosen_groups_are_one_way():
    assert routing_rule.group_limited(8, 4, 125_000, 500_000) == {(125_000,) * 4: 1.0}


def test_more_experts_than_a_float_can_count_are_refused():
    with pytest.raises(UsageError, match="beyond the range of the quadrature"):
        routing_rule.group_limited(8, 4, 125_000, 499_998)
