"""Which way a term goes, and how fast."""

from fractions import Fraction
from itertools import pairwise

import msgspec
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from dsv3calc.ledger.rules import RULES
from dsv3calc.symbolic.derivative import NotSmooth
from dsv3calc.symbolic.from_ledger import compiled
from dsv3calc.symbolic.operations import OPERATIONS, evaluate
from dsv3calc.symbolic.slope import DOWN, FLAT, UP, direction
from dsv3calc.symbolic.term import Term
from dsv3calc.symbolic.term_point import Point, derivative

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


@settings(max_examples=300)
@given(term=terms, y=st.integers(1, 9))
def test_a_proven_direction_is_that_of_the_values(term, y):
    way = direction(term, "x")
    if way is None:
        return
    try:
        values = [evaluate(term, {"x": x, "y": y}) for x in range(1, 12)]
    except ArithmeticError:
        return
    for before, after in pairwise(values):
        step = (after > before) - (after < before)
        assert step in (0, way) or abs(after - before) <= 1e-9 * abs(before)


@settings(max_examples=100)
@given(term=terms, x=st.integers(1, 9), y=st.integers(1, 9))
def test_the_derivative_is_sympy_s(term, x, y):
    values = {"x": x, "y": y}
    try:
        found = derivative(term, "x", values)
    except (NotSmooth, ZeroDivisionError):
        return
    if any(word in str(described(term)) for word in ("max", "min", "floor", "ceil")):
        return
    symbols = {name: sympy.Symbol(name) for name in values}
    exact = sympy.diff(as_sympy(term, symbols), symbols["x"]).subs(values)
    if exact.is_finite:
        assert found == Fraction(int(exact.p), int(exact.q))


def described(term):
    return [term.operation, *map(described, term.parts)] if isinstance(term, Term) else term


def as_sympy(term, symbols):
    if not isinstance(term, Term):
        return sympy.Integer(term)
    if term.operation == "name":
        return symbols[term.name]
    a, b = (as_sympy(part, symbols) for part in term.parts)
    return {"+": a + b, "-": a - b, "*": a * b}.get(term.operation, a / b)


def test_corners_and_steps_have_no_derivative():
    at = {"x": 5}
    assert derivative(Term("maximum", X, 3), "x", at) == 1
    assert derivative(Term("maximum", X, 9), "x", at) == 0
    for term in (Term("maximum", X, 5), Term("floor_div", X, 2), Term("where", X < 5, X, 1)):
        with pytest.raises(NotSmooth):
            derivative(term, "x", at)


@pytest.mark.parametrize("rule", RULES)
def test_rules_on_terms_compute_what_the_ledger_does(rule):
    numbers = [7, 3, 9, 2]
    names = [Term("name", name=each) for each in "abcd"]
    count = 2 if rule == "ratio" else 4
    term = RULES[rule].value(names[:count])
    values = dict(zip("abcd", numbers, strict=True))
    expected = RULES[rule].value(numbers[:count])
    assert evaluate(term, values) == compiled(term)(values) == expected
    assert Point(term, values).value == expected


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
    assert point.slopes == {"x": 300, "y": 1}


@settings(max_examples=200)
@given(term=terms, x=st.integers(1, 9), y=st.integers(1, 9), other=st.integers(1, 9))
def test_a_point_gives_what_the_term_does_where_a_name_changes(term, x, y, other):
    try:
        here = evaluate(term, {"x": x, "y": y})
        there = evaluate(term, {"x": other, "y": y})
    except ArithmeticError:
        return
    point = Point(term, {"x": x, "y": y})
    assert point.value == here
    assert point.at({"x": other}) == there
    assert point.at({"y": y}) == here


def test_a_name_that_is_nowhere_moves_nothing():
    point = Point(X * 2, {"x": 3, "y": 4})
    assert point.slopes == {"x": 2, "y": 0}
    assert point.at({"y": 9}) == 6


def test_quotients_are_told_here_and_there():
    tiles = Term("ceil_div", X * 2, 128)
    point = Point(tiles * Term("floor_div", Y, 8), {"x": 64, "y": 16})
    assert point.quotients("x", 65) == [(128, 128, 130, 128)]
    assert point.quotients("y", 24) == [(16, 8, 24, 8)]
