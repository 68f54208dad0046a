"""The helpers give the same answer on ints, float arrays and symbols."""

import itertools
import math
import operator
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import sympy
from expressions import at_numbers
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.numbers import ops

small = st.integers(-200, 200)
positive = st.integers(1, 60)
BINARY = {
    "maximum": (ops.maximum, max),
    "minimum": (ops.minimum, min),
    "floor_div": (ops.floor_div, operator.floordiv),
    "ceil_div": (ops.ceil_div, lambda a, b: -(-a // b)),
}
each_helper = pytest.mark.parametrize("name", BINARY)


@each_helper
@given(a=small, b=positive)
def test_integers_stay_exact_integers(name, a, b):
    helper, plain = BINARY[name]
    assert helper(a, b) == plain(a, b)
    assert type(helper(a, b)) is int


@each_helper
@given(a=small, b=positive)
def test_symbols_take_the_same_value(name, a, b):
    helper, plain = BINARY[name]
    x, y = sympy.symbols("x y", integer=True)
    assert helper(x, y).subs({x: a, y: b}) == plain(a, b)
    assert helper(a, y).subs(y, b) == plain(a, b)
    assert helper(x, b).subs(x, a) == plain(a, b)


@each_helper
@given(values=st.lists(small, min_size=1, max_size=5), b=positive)
def test_arrays_take_the_same_values(name, values, b):
    helper, plain = BINARY[name]
    found = helper(np.array(values, dtype=float), float(b))
    assert found.dtype == np.float64
    assert found.tolist() == [plain(a, b) for a in values]


@given(value=small, low=small, width=st.integers(0, 50))
def test_clip_holds_a_value_between_bounds(value, low, width):
    high = low + width
    expected = min(max(value, low), high)
    assert ops.clip(value, low, high) == expected
    x = sympy.Symbol("x", integer=True)
    assert ops.clip(x, low, high).subs(x, value) == expected
    assert ops.clip(np.array([float(value)]), low, high).tolist() == [expected]


@given(a=st.integers(0, 10**30), b=st.integers(1, 10**12))
def test_exact_div_is_exact_beyond_floats(a, b):
    assert ops.exact_div(a * b, b) == a


def test_exact_div_refuses_a_remainder():
    with pytest.raises(ArithmeticError, match="7 is not a multiple of 2"):
        ops.exact_div(7, 2)


def test_exact_div_passes_arrays_and_symbols_through():
    x = sympy.Symbol("x", positive=True)
    assert ops.exact_div(6 * x, 3) == 2 * x
    assert ops.exact_div(np.array([6.0, 8.0]), 2).tolist() == [3.0, 4.0]


def test_ratio_is_an_integer_where_it_divides():
    big = 3 * 10**40
    assert ops.ratio(big, 3) == 10**40
    assert type(ops.ratio(big, 3)) is int
    assert ops.ratio(1, 4) == 0.25
    assert ops.ratio(1, sympy.Integer(4)) == sympy.Rational(1, 4)
    assert ops.ratio(np.array([1.0]), 4).tolist() == [0.25]


@pytest.mark.parametrize(("value", "expected"), [(3, "big"), (1, "small")])
def test_where_chooses(value, expected):
    assert ops.where(value > 2, "big", "small") == expected


def test_where_chooses_elementwise_and_symbolically():
    array = np.array([1.0, 3.0])
    assert ops.where(ops.exceeds(array, 2), array, 0.0).tolist() == [0.0, 3.0]
    assert ops.where(array > 2, 1, 0).dtype == np.float64
    assert ops.where(array > 2, 2**70, 0).tolist() == [0.0, 2.0**70]
    x = sympy.Symbol("x")
    chosen = ops.where(ops.exceeds(x, 2), x, 0)
    assert [chosen.subs(x, 1), chosen.subs(x, 2), chosen.subs(x, 3)] == [0, 0, 3]


def test_cases_inside_a_condition_are_left_as_they_are_written():
    """Sympy would move them out, and compare what they choose from: seconds for each."""
    x, y = sympy.symbols("x y", integer=True, positive=True)
    chosen = x
    for number in range(1, 5):
        table = ops.lookup([number, 7, 3], ops.minimum(chosen, 2))
        chosen = ops.where(ops.exceeds(table * y, chosen), ops.maximum(table, y), chosen + 1)
    assert chosen.func is sympy.Piecewise
    for a, b in itertools.product((1, 2, 5), (1, 4)):
        exact = a
        for number in range(1, 5):
            table = (number, 7, 3)[min(exact, 2)]
            exact = max(table, b) if table * b > exact else exact + 1
        known = {x: sympy.Integer(a), y: sympy.Integer(b)}
        assert at_numbers(chosen, known, {}) == exact


def test_plain_numbers_import_neither_numpy_nor_sympy():
    code = (
        "import sys; from dsv3calc.numbers import ops\n"
        "ops.maximum(1, 2), ops.minimum(1, 2), ops.clip(1, 2, 3), ops.floor_div(7, 2)\n"
        "ops.ceil_div(7, 2), ops.exact_div(4, 2), ops.ratio(1, 3), ops.where(True, 1, 2)\n"
        "assert not {'numpy', 'sympy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(
    quotient=st.integers(-(2**26), 2**26),
    divisor=st.integers(1, 2**26),
    beside=st.integers(-2, 2),
)
def test_quotients_of_large_arrays_are_exact(quotient, divisor, beside):
    """Next to multiples, where a quotient is rounded onto a whole number first."""
    number = quotient * divisor + beside
    array = np.array([float(number)])
    assert ops.floor_div(array, float(divisor)).tolist() == [number // divisor]
    assert ops.ceil_div(array, float(divisor)).tolist() == [-(-number // divisor)]


@given(number=st.integers(1 - 2**53, 2**53 - 1), divisor=st.integers(1, 2**53 - 1))
def test_quotients_of_any_array_below_the_limit_are_exact(number, divisor):
    array, below = np.array([float(number)]), np.array([float(divisor)])
    assert ops.floor_div(array, below).tolist() == [number // divisor]
    assert ops.ceil_div(array, below).tolist() == [-(-number // divisor)]


def test_quotients_of_integer_arrays_stay_integers():
    assert ops.floor_div(np.array([7]), 2).dtype.kind == "i"
    assert ops.ceil_div(np.array([7]), 2).tolist() == [4]


def test_binomial_ratios_are_exact_and_fast():
    """Both forms are the same fraction: C(n - d, k) / C(n, k) is symmetric in d and k."""
    for part, n, k in itertools.product(range(12), range(1, 5), range(12)):
        if part <= n and k <= n:
            exact = Fraction(math.comb(part, k), math.comb(n, k))
            assert ops.binomial_ratio(part, n, k) == float(exact)
            (found,) = ops.binomial_ratio(np.array([part]), np.array([n]), np.array([k]))
            assert found == float(exact)
    assert ops.binomial_ratio(224, 256, 8) == math.comb(224, 8) / math.comb(256, 8)
    assert ops.binomial_ratio(875_000, 1_000_000, 500_000) == 0
    assert ops.binomial_ratio(10**12 - 10**6, 10**12, 8) == pytest.approx((1 - 1e-6) ** 8)
