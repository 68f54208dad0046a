"""Expected experts, against every outcome and against draws."""

import itertools
import random
from fractions import Fraction
from statistics import fmean, stdev

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas import experts


def enumerated(count, chosen, tokens):
    """Average the distinct experts over every equally likely outcome."""
    sets = [frozenset(each) for each in itertools.combinations(range(count), chosen)]
    outcomes = [len(frozenset().union(*each)) for each in itertools.product(sets, repeat=tokens)]
    return Fraction(sum(outcomes), len(outcomes))


@pytest.mark.parametrize(
    ("count", "chosen", "tokens"),
    [(2, 1, 5), (3, 1, 4), (4, 2, 3), (5, 2, 3), (4, 3, 4), (6, 2, 2), (5, 5, 2), (4, 1, 1)],
)
def test_expected_distinct_experts_over_every_outcome(count, chosen, tokens):
    exact = enumerated(count, chosen, tokens)
    n, k, t = sympy.symbols("n k t", positive=True, integer=True)
    closed = experts.expected_distinct_experts(n, k, t).subs({n: count, k: chosen, t: tokens})
    assert closed == sympy.Rational(exact.numerator, exact.denominator)
    found = experts.expected_distinct_experts(count, chosen, tokens)
    assert found == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize(
    ("count", "chosen", "tokens"), [(256, 8, 32), (256, 8, 128), (160, 6, 16), (8, 2, 3)]
)
def test_expected_distinct_experts_by_drawing(count, chosen, tokens):
    dice = random.Random(20_241_227)  # noqa: S311 - a fixed seed, not a secret
    draws = []
    for _ in range(400):
        hit = set()
        for _ in range(tokens):
            hit.update(dice.sample(range(count), chosen))
        draws.append(len(hit))
    five_sigma = 5 * stdev(draws) / len(draws) ** 0.5
    expected = experts.expected_distinct_experts(count, chosen, tokens)
    assert abs(fmean(draws) - expected) < five_sigma


def test_expected_distinct_experts_under_group_limits():
    """Each expert keeps its chance k/n when the groups are drawn first."""
    dice = random.Random(7)  # noqa: S311 - a fixed seed, not a secret
    count, groups, kept, chosen, tokens = 32, 8, 4, 4, 12
    size = count // groups
    draws = []
    for _ in range(1500):
        hit = set()
        for _ in range(tokens):
            allowed = dice.sample(range(groups), kept)
            pool = [group * size + each for group in allowed for each in range(size)]
            hit.update(dice.sample(pool, chosen))
        draws.append(len(hit))
    five_sigma = 5 * stdev(draws) / len(draws) ** 0.5
    expected = experts.expected_distinct_experts(count, chosen, tokens)
    assert abs(fmean(draws) - expected) < five_sigma


@given(count=st.integers(1, 512), data=st.data(), tokens=st.integers(1, 10**6))
def test_expected_distinct_experts_stay_in_bounds(count, data, tokens):
    chosen = data.draw(st.integers(1, count))
    found = experts.expected_distinct_experts(count, chosen, tokens)
    slack = 1 + 1e-12
    assert chosen <= found * slack
    assert found <= min(count, chosen * tokens) * slack
    more = experts.expected_distinct_experts(count, chosen, tokens + 1)
    assert found <= more * slack


@given(count=st.integers(1, 512), data=st.data(), each=st.integers(1, 10**12))
def test_inactive_elements_are_those_of_the_other_experts(count, data, each):
    chosen = data.draw(st.integers(1, count))
    idle = sum(each for _ in range(count - chosen))
    assert experts.inactive_expert_elements(count * each, count, chosen) == idle


def test_inactive_elements_refuse_experts_of_different_sizes():
    with pytest.raises(ArithmeticError):
        experts.inactive_expert_elements(1001, 4, 3)


@given(count=st.integers(1, 512), data=st.data(), each=st.integers(1, 10**9))
def test_share_of_the_hit_experts(count, data, each):
    hit = data.draw(st.integers(0, count))
    assert experts.expected_expert_share(count * each, hit, count) == hit * each


@given(shared=st.integers(0, 8), width=st.integers(1, 10**5))
def test_shared_experts_are_as_wide_as_all_of_them(shared, width):
    assert experts.shared_expert_width(shared, width) == sum(width for _ in range(shared))
