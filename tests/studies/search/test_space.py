"""Spaces of candidates, and bisection over many rows, against trying every combination."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.studies.search import bisection
from dsv3calc.studies.search import space as spaces
from dsv3calc.studies.search.best import Front
from dsv3calc.studies.search.ledger import Refusals
from dsv3calc.studies.search.rules import Combinations
from dsv3calc.studies.search.space import Constraint, Space, count, row

CANDIDATES = st.lists(st.integers(1, 40), min_size=0, max_size=6, unique=True)
EVEN = Constraint("odd", lambda columns: (columns["a"] + columns["b"]) % 2 == 0)
SMALL = Constraint("too large", lambda columns: columns["a"] * columns["b"] < 300)


@given(a=CANDIDATES, b=CANDIDATES, block=st.integers(1, 9))
def test_a_space_has_every_combination_that_is_not_refused(a, b, block):
    space = Space({"a": a, "b": b}, [EVEN, SMALL])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spaces, "BLOCK", block)
        found = space.candidates()
    every = list(product(a, b))
    even = [pair for pair in every if sum(pair) % 2 == 0]
    left = [pair for pair in even if pair[0] * pair[1] < 300]
    assert [tuple(row(found, number).values()) for number in range(count(found))] == left
    assert space.refused == {"odd": len(every) - len(even), "too large": len(even) - len(left)}
    assert space.size == len(every)
    assert space.candidates()["a"].tolist() == found["a"].tolist()
    assert sum(space.refused.values()) + count(found) == len(every)  # counted once


def test_a_space_without_constraints_refuses_nothing():
    space = Space({"a": [3, 1], "b": range(2)})
    assert space.candidates()["a"].tolist() == [3, 3, 1, 1]
    assert space.refused == {}


@given(
    needs=st.lists(st.tuples(st.integers(-3, 40), st.integers(0, 400)), min_size=1, max_size=40),
    at_once=st.integers(1, 3000),
)
def test_bisection_finds_what_trying_each_number_finds(needs, at_once):
    low = np.array([first for first, _ in needs])
    high = low + [number for _, number in needs]
    limits = (low + high) // 2 + np.arange(len(needs)) % 7 - 3  # within, and beyond both ends

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bisection, "_AT_ONCE", at_once)
        most = bisection.largest(lambda which, tried: tried <= limits[which], low, high)
        fewest = bisection.least(lambda which, tried: tried >= limits[which], low, high)
    for place, (first, last, limit) in enumerate(zip(low, high, limits, strict=True)):
        every = range(first, last + 1)
        assert most[place] == max([first, *(each for each in every if each <= limit)])
        assert fewest[place] == min([last + 1, *(each for each in every if each >= limit)])


def test_more_combinations_than_integers_are_told_apart():
    random = np.random.default_rng(0)
    columns = {name: random.permutation(2**13) for name in "abcdef"}  # 2^78
    rows, which = Combinations(columns).of((*columns,))
    assert len(rows) == 2**13
    for place, name in enumerate(columns):
        assert (np.array(rows)[which, place] == columns[name]).all()


def test_bytes_too_many_are_counted_however_many():
    refusals = Refusals()
    for excess in ([2.0**70, 2.0**75, 2.0**200], [2.0**75, 1.0]):
        refusals.refuse_memory(np.array(excess), range(9), {"tp": np.arange(9)}, {})
    assert refusals.over == 5
    assert refusals.median_excess == pytest.approx(2.0**75, rel=0.01)
    assert [excess for excess, _ in refusals.misses] == [1, 2.0**70, 2.0**75]


def test_what_is_no_number_is_on_no_front():
    values = [np.array([2.0, np.nan, 1.0]), np.array([1.0, 1.0, np.inf])]
    assert Front().chosen(values, np.ones(3, dtype=bool)).tolist() == [0]
