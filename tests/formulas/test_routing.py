"""Destinations of a token and the fullest rank, against every outcome and against draws."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas import routing
from dsv3calc.numbers import ops


def enumerated(destinations, slots, chosen, groups=None, kept=None):
    """Average over every set of experts that the policy allows: the missed share, the distinct."""
    groups = groups or destinations
    kept = kept or groups
    each = destinations * slots // groups
    missed = distinct = total = 0
    for allowed in itertools.combinations(range(groups), kept):
        pool = [group * each + one for group in allowed for one in range(each)]
        for experts in itertools.combinations(pool, chosen):
            hit = {expert // slots for expert in experts}
            missed += 0 not in hit
            distinct += len(hit)
            total += 1
    return Fraction(missed, total), Fraction(distinct, total)


TINY = [(2, 3, 2), (3, 2, 2), (4, 1, 3), (4, 2, 3), (2, 4, 5), (1, 5, 2), (5, 1, 5), (3, 3, 1)]


@pytest.mark.parametrize(("destinations", "slots", "chosen"), TINY)
def test_destinations_over_every_set_of_experts(destinations, slots, chosen):
    missed, distinct = enumerated(destinations, slots, chosen)
    names = sympy.symbols("D m k", positive=True, integer=True)
    closed = routing.missed_chance(*names)
    exact = closed.subs(dict(zip(names, (destinations, slots, chosen), strict=True)))
    assert exact == sympy.Rational(missed.numerator, missed.denominator)
    found = routing.missed_chance(destinations, slots, chosen)
    assert found == pytest.approx(float(missed), rel=1e-15)
    assert routing.distinct_destinations(destinations, found) == pytest.approx(float(distinct))


@pytest.mark.parametrize(
    ("destinations", "slots", "chosen", "groups", "kept"),
    [(4, 2, 2, 4, 2), (4, 2, 3, 2, 1), (8, 1, 3, 4, 2), (6, 2, 4, 3, 2), (4, 2, 3, 4, 4)],
)
def test_random_groups_over_every_outcome(destinations, slots, chosen, groups, kept):
    missed, distinct = enumerated(destinations, slots, chosen, groups, kept)
    inside = routing.missed_chance(kept * destinations // groups, slots, chosen)
    found = routing.missed_of_random_groups(inside, groups, kept)
    assert found == pytest.approx(float(missed))
    assert routing.distinct_destinations(destinations, found) == pytest.approx(float(distinct))


def test_the_paper_s_eight_nodes():
    """Section 4.3 of arXiv:2505.09343: 256 experts on 8 nodes, top 8."""
    unrestricted = routing.distinct_destinations(8, routing.missed_chance(8, 32, 8))
    assert unrestricted == pytest.approx(8 * (1 - math.comb(224, 8) / math.comb(256, 8)), rel=1e-14)
    assert round(unrestricted, 3) == 5.295
    missed = routing.missed_of_random_groups(routing.missed_chance(4, 32, 8), 8, 4)
    assert round(routing.distinct_destinations(8, missed), 3) == 3.629


@given(
    destinations=st.integers(1, 64), slots=st.integers(1, 32), data=st.data(), kept=st.integers(1)
)
def test_destinations_stay_in_bounds_and_grow(destinations, slots, data, kept):
    chosen = data.draw(st.integers(1, destinations * slots))
    missed = routing.missed_chance(destinations, slots, chosen)
    distinct = routing.distinct_destinations(destinations, missed)
    slack = 1 + 1e-9
    assert max(1, chosen / slots) <= distinct * slack
    assert distinct <= min(destinations, chosen) * slack
    if chosen < destinations * slots:
        assert routing.missed_chance(destinations, slots, chosen + 1) <= missed
    kept = min(kept, destinations)
    if chosen <= kept * slots:
        inside = routing.missed_chance(kept, slots, chosen)
        limited = routing.missed_of_random_groups(inside, destinations, kept)
        assert routing.distinct_destinations(destinations, limited) <= distinct * slack


def test_all_groups_kept_is_no_limit():
    missed = routing.missed_chance(8, 32, 8)
    assert routing.missed_of_random_groups(missed, 8, 8) == pytest.approx(missed)


@given(st.integers(1, 512), st.integers(0, 512))
def test_remote_leaves_the_own_one_out(destinations, distinct):
    """Put the token at each destination in turn, the hit ones being the first."""
    distinct = min(distinct, destinations)
    remote = [distinct - (own < distinct) for own in range(destinations)]
    expected = Fraction(sum(remote), destinations)
    assert (
        Fraction(routing.remote_destinations(distinct, destinations)).limit_denominator(10**6)
        == expected
    )
    assert routing.remote_destinations(distinct, 1) == 0


def test_arrays_and_symbols_through_the_closed_forms():
    nodes, chosen = np.meshgrid([1.0, 2.0, 4.0, 8.0], [1.0, 6.0, 8.0])
    missed = routing.missed_chance(nodes, 256 / nodes, chosen)
    table = routing.distinct_destinations(nodes, missed)
    assert table.dtype == np.float64
    for row, k in enumerate((1, 6, 8)):
        for column, count in enumerate((1, 2, 4, 8)):
            one = routing.distinct_destinations(
                count, routing.missed_chance(count, 256 // count, k)
            )
            assert table[row, column] == pytest.approx(one, rel=1e-14)
    n = sympy.Symbol("n", positive=True, integer=True)
    closed = routing.distinct_destinations(n, routing.missed_chance(n, 256 / n, 8))
    assert float(closed.subs(n, 8)) == pytest.approx(table[2, 3])


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_binomials_of_every_kind(part, n, k):
    assert ops.binomial(n, k) == math.comb(n, k)
    assert ops.binomial(np.array([float(n)]), k).tolist() == [float(math.comb(n, k))]
    assert ops.binomial(float(n), float(k)) == math.comb(n, k)
    m, j = sympy.symbols("m j", nonnegative=True, integer=True)
    assert ops.binomial(m, j).subs({m: n, j: k}) == math.comb(n, k)
    if k <= n:
        share = Fraction(math.comb(part, k), math.comb(n, k))
        # Whole counts stay exact integers, past 2^53 too; a ratio is the nearest float.
        exact = share if share.denominator == 1 else float(share)
        assert ops.binomial_ratio(part, n, k) == exact
        array = ops.binomial_ratio(np.array([float(part)]), n, k)
        assert array.tolist() == pytest.approx([float(share)], rel=1e-15)
        assert ops.binomial_ratio(m, n, k).subs(m, part) == sympy.Rational(
            share.numerator, share.denominator
        )


def test_large_binomials_fit_where_their_ratio_does():
    assert ops.binomial_ratio(5000, 10_000, 2000) == pytest.approx(0, abs=1e-300)
    assert ops.binomial_ratio(np.array([9999.0]), 10_000, 2000).tolist() == [0.8]


def drawn_excess(ranks, experts, chosen, tokens, draws):
    """Draw the load of the fullest rank over the mean, less 1: mean and its standard error."""
    dice = np.random.default_rng(20_250_514)
    loads = []
    for _ in range(draws):
        order = np.argpartition(dice.random((tokens, experts)), chosen, axis=1)[:, :chosen]
        load = np.bincount((order // (experts // ranks)).ravel(), minlength=ranks)
        loads.append(load.max() / load.mean())
    return np.mean(loads), np.std(loads) / draws**0.5


@pytest.mark.parametrize(
    ("ranks", "experts", "chosen", "tokens", "within"),
    [
        (8, 256, 8, 512, 0.01),  # 512 copies a rank
        (64, 256, 8, 1024, 0.01),  # 128
        (4, 16, 8, 200, 0.01),  # half of the experts
        (2, 16, 2, 256, 0.01),
        (64, 256, 8, 256, 0.03),  # 32
        (64, 256, 8, 64, 0.05),  # 8: Poisson tails
    ],
)
def test_hottest_rank_by_drawing(ranks, experts, chosen, tokens, within):
    drawn, error = drawn_excess(ranks, experts, chosen, tokens, 120)
    found = routing.hottest_rank(ranks, experts, chosen, tokens)
    assert abs(found - drawn) < within * drawn + 3 * error


def test_hottest_rank_at_its_limits():
    assert routing.hottest_rank(1, 256, 8, 4) == 1
    assert routing.hottest_rank(8, 8, 8, 4) == 1  # every token goes everywhere
    loads = [routing.hottest_rank(64, 256, 8, tokens) for tokens in (256, 1024, 10**10)]
    assert loads == sorted(loads, reverse=True)
    assert loads[-1] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("count", "largest"),
    [(2, 0.56419), (3, 0.84628), (8, 1.42360), (100, 2.50759), (1000, 3.24144)],
)
def test_the_largest_of_normals_is_near_its_table(count, largest):
    """Expected values of normal order statistics: Harter, Biometrika 48 (1961) 151."""
    experts, chosen = 2 * count, 1
    tokens = 10**6
    excess = routing.hottest_rank(count, experts, chosen, tokens) - 1
    scale = math.sqrt(count * (experts - chosen) / (tokens * chosen * (experts - 1)))
    assert excess / scale == pytest.approx(largest, rel=0.042)
