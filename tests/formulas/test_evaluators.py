"""One formula, three evaluators: integers, float arrays and symbols agree on every formula.

Arguments are drawn from the ranges that real models and clusters have. There no intermediate
product is rounded before the last factor, so an array result is the scalar one to within 1 ulp
however large it is, and exactly the scalar one below 2^53.
"""

import math
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import sympy
from drawn import examples
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas.registry.registry import all_formulas

FORMULAS = all_formulas()
fewer = examples(12)  # for each of some forty formulas
every_formula = pytest.mark.parametrize("name", list(FORMULAS))

WIDTH = st.integers(1, 2**17)
TOKENS = st.integers(1, 2**20)
RANGES = {
    "tokens": TOKENS,
    "sequence": TOKENS,
    "past": st.integers(0, 2**20),
    "window": TOKENS,
    "chunk": TOKENS,
    "page_size": st.integers(1, 2**12),
    "batch": st.integers(1, 2**12),
    "layers": st.integers(1, 128),
    "num_hidden_layers": st.integers(1, 128),
    "start": st.integers(0, 140),
    "stop": st.integers(0, 140),
    "step": st.integers(1, 12),
    "acceptance": st.integers(2, 12),  # a sum of powers, which 1 would divide by 0
    "hit_rate": st.integers(2, 12),  # 1 minus it divides
    "draft_tokens": st.integers(1, 8),
    "state_products": st.integers(1, 4),
    "state_rows": st.integers(1, 256),
    "state_columns": st.integers(1, 256),
    "copies": st.integers(1, 8),
    "heads": st.integers(1, 128),
    "num_attention_heads": st.integers(1, 128),
    "num_key_value_heads": st.integers(1, 128),
    "head_channels": st.integers(1, 576),
    "vectors": st.integers(1, 256),
    "width": st.integers(1, 2**12),
    "bits": st.integers(1, 64),
    "scale_bits": st.integers(0, 64),
    "group_size": st.integers(1, 2**12),
    "flops_per_parameter": st.sampled_from([2, 6]),
    "passes": st.sampled_from([1, 3]),
    "n_shared_experts": st.integers(0, 8),
    "token_bytes": st.integers(1, 2**13),
    "channel_flops": st.integers(1, 2**42),
    "elements": st.integers(1, 2**46),
    "active": st.integers(1, 2**40),
    "available": st.integers(0, 2**50),
    "sequence_bytes": st.integers(1, 2**40),
    "destinations": st.integers(1, 128),
    "slots": st.integers(1, 64),
    "compute_seconds": st.integers(1, 2**20),
    "radix": st.integers(1, 256).map(lambda half: 2 * half),
    "tiers": st.integers(2, 4),
    "planes": st.integers(1, 16),
    "ranks": st.integers(2, 2**12),
    "paths": st.integers(1, 512),  # 1 less a power near 1 loses digits
    "q": st.integers(3, 512),
    "network_radix": st.integers(5, 512),
    "group_switches": st.integers(1, 256),
    "global_ports": st.integers(1, 128),
    "switch_groups": st.integers(2, 2**12),
    "code_bits": st.integers(3, 16),
    "exponent_bits": st.integers(0, 11),
    "mantissa_bits": st.integers(0, 52),
    "exponent": st.integers(1, 4),
    "octave_step": st.integers(1, 32),
    "to_half_rate": st.integers(1, 256),
    "to_float_rate": st.integers(1, 256),
    "scale_rate": st.integers(1, 256),
    "to_bf16_rate": st.integers(1, 256),
}
BIG = st.integers(1, 2**52)
ROUNDED = {"hottest_rank", "kernel_time", "collective_time", "best_checkpoint_interval"}
"""Formulas with powers that are no integers: sympy's number is a float too."""
POWERS = {"expected_distinct_experts", "hit_experts", "ecmp_mean_share"}
"""Formulas with tokens or flows as an exponent: floats, as the integers would be very long."""
LARGE_AMOUNTS = ("flops", "moved", "amount", "forward", "peak", "bandwidth")
"""What formulas divide, or take three times."""


@st.composite
def arguments_of(draw, name):
    drawn = {}
    for parameter in FORMULAS[name].parameters:
        if parameter == "n_routed_experts":
            drawn[parameter] = draw(st.integers(2, 512))
        elif parameter == "num_experts_per_tok":
            most = drawn.get("slots", drawn.get("n_routed_experts", 512))
            drawn[parameter] = draw(st.integers(1, most))
        elif parameter == "hit":
            drawn[parameter] = draw(st.integers(1, 512))
        else:
            default = BIG if parameter in LARGE_AMOUNTS else WIDTH
            drawn[parameter] = draw(RANGES.get(parameter, default))
    for exponent in ("tokens", "flows"):
        if name in POWERS and exponent in drawn:
            drawn[exponent] = draw(st.integers(1, 200))
    if "planes_down" in drawn:  # one is left
        drawn["planes_down"] = draw(st.integers(0, drawn["planes"] - 1))
    if "n_routed_experts" in drawn and "elements" in drawn:
        experts = drawn["n_routed_experts"]
        if name == "expected_expert_share":
            drawn["hit"] = draw(st.integers(1, experts))
        drawn["elements"] = experts * draw(st.integers(1, 2**34))
    return tuple(drawn.values())


@cache
def traced(name):
    """Call a formula with one symbol for each argument: what it returns is the closed form."""
    symbols = tuple(
        sympy.Symbol(parameter, integer=True, nonnegative=True)
        for parameter in FORMULAS[name].parameters
    )
    return symbols, FORMULAS[name].function(*symbols)


def equal_within_an_ulp(found, exact):
    """Tell whether a float is the exact number, or for a large one a neighbour of it."""
    if exact.denominator == 1 and abs(exact) < 2**53:
        return found == exact
    return abs(Fraction(found) - exact) <= Fraction(math.ulp(float(exact)))


@every_formula
@fewer
@given(data=st.data())
def test_the_traced_formula_has_the_exact_value_of_the_scalar(name, data):
    values = data.draw(arguments_of(name))
    scalar = FORMULAS[name].function(*values)
    symbols, expression = traced(name)
    # all at once: subs asks of every maximum, after every symbol, which argument is larger
    numbers = map(sympy.Integer, values)
    exact = sympy.sympify(expression).xreplace(dict(zip(symbols, numbers, strict=True))).doit()
    if name in ROUNDED:
        assert scalar == pytest.approx(float(exact), rel=1e-13)
        return
    assert exact.is_rational
    if type(scalar) is int:
        assert exact.is_Integer
        assert int(exact) == scalar
    else:
        assert not exact.is_Integer or name in POWERS
        assert scalar == pytest.approx(float(exact), rel=1e-13)


@every_formula
@fewer
@given(data=st.data())
def test_float_arrays_equal_scalars(name, data):
    rows = [data.draw(arguments_of(name)) for _ in range(2)]
    columns = [np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)]
    before = [column.copy() for column in columns]
    found = FORMULAS[name].function(*columns)
    assert found.dtype == np.float64
    for value, row in zip(found.tolist(), rows, strict=True):
        scalar = FORMULAS[name].function(*row)
        if type(scalar) is int:
            assert equal_within_an_ulp(value, Fraction(scalar)), (row, value, scalar)
        else:
            assert value == pytest.approx(scalar, rel=1e-13), row
    assert all((a == b).all() for a, b in zip(before, columns, strict=True)), "changed in place"


@every_formula
@fewer
@given(data=st.data())
def test_one_array_argument_broadcasts_over_the_others(name, data):
    values = data.draw(arguments_of(name))
    scalar = FORMULAS[name].function(*values)
    for position in range(len(values)):
        mixed = list(values)
        mixed[position] = np.array([values[position]] * 2, dtype=np.float64)
        found = np.broadcast_to(FORMULAS[name].function(*mixed), 2)
        if type(scalar) is int:
            assert all(equal_within_an_ulp(each, Fraction(scalar)) for each in found.tolist())
        else:
            assert found.tolist() == pytest.approx([scalar] * 2, rel=1e-13)


@every_formula
def test_a_formula_is_symbolic_in_every_argument(name):
    """An argument that the closed form does not depend on must be a bound, not forgotten."""
    symbols, expression = traced(name)
    missing = set(symbols) - expression.free_symbols
    assert not missing


@every_formula
@fewer
@given(data=st.data())
def test_integers_in_give_exact_integers_or_floats_out(name, data):
    scalar = FORMULAS[name].function(*data.draw(arguments_of(name)))
    assert type(scalar) in (int, float)
    assert math.isfinite(scalar)
