"""Which way a term goes, and its values at a point."""

from itertools import pairwise

import msgspec
import pytest
from drawn import examples
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.ledger.rules import RULES
from dsv3calc.symbolic.from_ledger import compiled
from dsv3calc.symbolic.operations import OPERATIONS
from dsv3calc.symbolic.slope import DOWN, FLAT, UP, direction
from dsv3calc.symbolic.term import Term
from dsv3calc.symbolic.term_point import Point

X, Y = Term("name", name="x"), Term("name", name="y")


@pytest.mark.parametrize(
    ("term", "way"),
    [
        (3, FLAT),
        (Y, FLAT),
        (X, UP),
        (X * 3 + 5, UP),
        (Term("/", 5, X), DOWN),
        (Term("ceil_div", X * 7, 64) * Y, UP),
        (Term("floor_div", 100, X), DOWN),
        (Term("maximum", X, 5), UP),
        (Term("minimum", X, Term("/", 5, X)), None),
        (X - 5, UP),
        (5 - X, DOWN),
        (-X, DOWN),
        (X - X * 2, None),
        ((X - 5) * X, None),
        (X**2, UP),
        (Term("where", X < 5, 1, 2), None),
        (Term("where", Y < 5, 1, 2), FLAT),
    ],
)
def test_direction(term, way):
    assert direction(term, "x") == way


leaves = st.sampled_from([X, Y]) | st.integers(1, 9)
terms = st.recursive(
    leaves,
    lambda inner: st.builds(
        Term,
        st.sampled_from(["+", "*", "/", "-", "maximum", "minimum", "floor_div", "ceil_div"]),
        inner,
        inner,
    ),
    max_leaves=8,
)


@examples(300)
@given(term=terms, y=st.integers(1, 9))
def test_a_proven_direction_is_that_of_the_values(term, y):
    way = direction(term, "x")
    if way is None:
        return
    try:
        values = [Point(term, {"x": x, "y": y}).value for x in range(1, 12)]
    except ArithmeticError:
        return
    for before, after in pairwise(values):
        step = (after > before) - (after < before)
        assert step in (0, way) or abs(after - before) <= 1e-9 * abs(before)


@pytest.mark.parametrize("rule", RULES)
def test_rules_on_terms_compute_what_the_ledger_does(rule):
    numbers = [7, 3, 9, 2]
    names = [Term("name", name=each) for each in "abcd"]
    count = 2 if rule == "ratio" else 4
    term = RULES[rule].value(names[:count])
    values = dict(zip("abcd", numbers, strict=True))
    expected = RULES[rule].value(numbers[:count])
    assert Point(term, values).value == compiled(term)(values) == expected


def test_equal_terms_are_computed_once_and_only_where_a_name_moves_them(monkeypatch):
    products = []

    def multiply(a, b):
        products.append((a, b))
        return a * b

    row = msgspec.structs.replace(OPERATIONS["*"], value=multiply)
    monkeypatch.setitem(OPERATIONS, "*", row)
    term = Y
    for _ in range(100):
        term = term + Term("*", Term("name", name="x"), 3)
    point = Point(term, {"x": 5, "y": 7})
    assert point.value == 7 + 100 * 15
    assert products == [(5, 3)]
    assert point.at({"y": 8}) == 8 + 100 * 15
    assert products == [(5, 3)]
    assert point.at({"x": 6}) == 7 + 100 * 18
    assert products == [(5, 3), (6, 3)]


@examples(200)
@given(term=terms, x=st.integers(1, 9), y=st.integers(1, 9), other=st.integers(1, 9))
def test_a_point_gives_what_the_term_does_where_a_name_changes(term, x, y, other):
    try:
        here = compiled(term)({"x": x, "y": y})
        there = compiled(term)({"x": other, "y": y})
    except ArithmeticError:
        return
    point = Point(term, {"x": x, "y": y})
    assert point.value == here
    assert point.at({"x": other}) == there
    assert point.at({"y": y}) == here


def test_a_name_that_is_nowhere_moves_nothing():
    point = Point(X * 2, {"x": 3, "y": 4})
    assert point.at({"y": 9}) == 6
