"""The engine of searches, against trying every combination."""

from itertools import product

import numpy as np
import pytest
from drawn import examples
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.studies.search import space as spaces
from dsv3calc.studies.search.engine import LeastMultiple, first_accepted, in_blocks
from dsv3calc.studies.search.space import Constraint, Space, count, ordered, row, rows

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


@examples(60)
@given(a=CANDIDATES, b=CANDIDATES, remainder=st.integers(0, 6))
def test_the_first_that_is_accepted_is_the_cheapest(a, b, remainder):
    columns = Space({"a": a, "b": b}).candidates()
    columns = ordered(columns, columns["a"] + columns["b"])
    asked = []

    def accepts(part):
        asked.append(count(part))
        return part["a"] * part["b"] % 7 == remainder

    found = first_accepted(columns, accepts)
    accepted = [(x + y, x, y) for x, y in product(a, b) if x * y % 7 == remainder]
    assert found == (None if not accepted else dict(zip("ab", min(accepted)[1:], strict=True)))
    assert sum(asked) <= len(a) * len(b)


@examples(100)
@given(
    needs=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 400)), min_size=1, max_size=40),
    limit=st.integers(1, 900),
)
def test_the_least_multiple_is_that_of_trying_each(needs, limit):
    needs = sorted(needs)
    columns = {"cost": np.array([cost for cost, _ in needs]), "place": np.arange(len(needs))}
    least = np.array([number for _, number in needs])
    search = LeastMultiple(
        columns, columns["cost"], lambda part, times: times >= least[part["place"]], limit
    )
    possible = [
        (cost * number, cost, place, number)
        for place, (cost, number) in enumerate(needs)
        if cost * number <= limit
    ]
    if not possible:
        assert search.find() is None
        return
    _, cost, place, number = min(possible)
    assert search.find() == ({"cost": cost, "place": place}, number)


def test_what_takes_much_memory_is_asked_in_blocks():
    sizes = []

    def accepts(part):
        sizes.append(count(part))
        return part["a"] > 4

    columns = {"a": np.arange(10)}
    assert in_blocks(columns, 4, accepts).tolist() == (columns["a"] > 4).tolist()
    assert sizes == [4, 4, 2]
    assert in_blocks(rows(columns, slice(0)), 0, accepts).tolist() == []
