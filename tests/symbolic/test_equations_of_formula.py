"""One formula, told in several ways: what is written down is what is computed."""

import math
import re
import subprocess
import sys
from fractions import Fraction
from functools import cache

import pytest
import sympy
from drawn import examples
from formula_draws import arguments_of, called
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas.cached_tokens import paged_tokens
from dsv3calc.formulas.precision import stored_bytes
from dsv3calc.formulas.registry.registry import all_formulas
from dsv3calc.numbers import ops
from dsv3calc.numbers.ops import maximum, where
from dsv3calc.symbolic.equations_of_formula import (
    equations,
    right_hand_side,
    sympy_symbol,
    unicode_equation,
)
from dsv3calc.symbolic.printer import LATEX, PYTHON, UNICODE, render
from dsv3calc.symbolic.term import Term, record
from dsv3calc.symbolic.term_point import Point

FORMULAS = all_formulas()
EACH = pytest.mark.parametrize("formula", FORMULAS.values(), ids=str)
HELPERS = {name: getattr(ops, name) for name in (
    "maximum", "minimum", "floor_div", "ceil_div", "binomial", "where",
)}  # fmt: skip


FEW = examples(8)  # for each of some forty formulas


@cache
def trace(formula):
    """Return a formula as a sympy expression in symbols named as its arguments are."""
    return sympy.sympify(formula.function(*(sympy_symbol(name) for name in formula.parameters)))


@cache
def recorded(formula):
    """Return a formula as the term that is written down."""
    return record(formula.function)[0]


def agrees(exact, result):
    if isinstance(result, int):
        return exact == result
    return abs(exact - Fraction(result)) <= abs(exact) * Fraction(1, 10**9) + Fraction(1, 10**300)


@EACH
@FEW
@given(data=st.data())
def test_the_record_computes_what_the_formula_does(formula, data):
    values = data.draw(arguments_of(formula))
    result = called(formula, values)
    if result is None:
        return
    again = Point(recorded(formula), values).value
    assert again == result
    assert type(again) is type(result)


@EACH
@FEW
@given(data=st.data())
def test_the_printed_expression_with_numbers_gives_the_result(formula, data):
    values = data.draw(arguments_of(formula))
    result = called(formula, values)
    if result is None:
        return
    shown = {name: str(value) for name, value in values.items()}
    text = right_hand_side(formula, shown, PYTHON)
    found = eval(text, dict(HELPERS))  # noqa: S307 - our own text of digits and operators
    if isinstance(result, int) and abs(result) > 2**53:  # / is a float there
        assert found == pytest.approx(result, rel=1e-12)
        return
    assert agrees(Fraction(found), result)  # / is a float where ops.ratio keeps an integer


@EACH
@FEW
@given(data=st.data())
def test_the_line_for_people_with_numbers_gives_the_result(formula, data):
    """Brackets and dots are put back into Python, independently of the notation's own code."""
    values = data.draw(arguments_of(formula))
    result = called(formula, values)
    if result is None:
        return
    text = right_hand_side(formula, {name: f"Q({value})" for name, value in values.items()})
    superscript = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda match: "**" + match[0].translate(superscript), text)
    replaced = {
        "·": "*", "−": "-", "^": "**", "⌈": "ceil(", "⌉": ")", "⌊": "floor(", "⌋": ")",
        ", else": " else",
    }  # fmt: skip
    for sign, python in replaced.items():
        text = text.replace(sign, python)
    names = {"Q": Fraction, "min": min, "max": max}
    names |= {"ceil": lambda x: -((-x) // 1), "floor": lambda x: x // 1}
    names |= {"C": lambda n, k: math.comb(int(n), int(k))}
    assert agrees(Fraction(eval(text, names)), result)  # noqa: S307 - as above


@EACH
def test_what_is_written_down_is_the_traced_expression(formula):
    names = {name: sympy_symbol(name) for name in formula.parameters}
    assert Point(recorded(formula), names).value == trace(formula)


@EACH
def test_latex_is_well_formed(formula):
    for line in equations(formula):
        assert line.count("{") == line.count("}")
        assert line.count("(") == line.count(")")
        assert line.count(r"\left") == line.count(r"\right")
        assert line.count(r"\lceil") == line.count(r"\rceil")
        left, sign, right = line.partition(" = ")
        assert left
        assert sign
        assert right
    assert equations(formula)[0].startswith(f"{formula.symbol} = ")
    assert all(name not in unicode_equation(formula) for name in formula.parameters if "_" in name)


WINDOW_HALF = (
    r"C_\mathrm{half} = 2 S_g P + S_g^2 + 2 (S - S_g) W,\quad "
    r"S_g = \min(\max(W - P, 0), S)"
)


@pytest.mark.parametrize(
    ("name", "latex", "text"),
    [
        (
            "causal_channel_flops",
            r"C_\mathrm{causal} = 2 S P + S (S + 1)",
            "C_causal = 2·S·P + S·(S + 1)",
        ),
        (
            "expected_distinct_experts",
            r"E_\mathrm{hit} = E \left( 1 - \left( 1 - \frac{k}{E} \right)^T \right)",
            "E_hit = E·(1 − (1 − k / E)^T)",
        ),
        (
            "entry_bytes",
            r"B_\mathrm{entry} = \lceil n_\mathrm{vec} (d b + \lceil d / g \rceil b_s) / 8 \rceil",
            "B_entry = ⌈n_vec·(d·b + ⌈d / g⌉·b_s) / 8⌉",
        ),
        (
            "window_half_channel_flops",
            WINDOW_HALF,
            "C_half = 2·S_g·P + S_g² + 2·(S − S_g)·W  with  S_g = min(max(W − P, 0), S)",
        ),
        ("mla_query_width", r"d_q = n_h (d_n + d_r)", "d_q = n_h·(d_n + d_r)"),
    ],
)
def test_equations_by_example(name, latex, text):
    assert r",\quad ".join(equations(FORMULAS[name])) == latex
    assert unicode_equation(FORMULAS[name]) == text


x, y, z = (Term("name", name=name) for name in "xyz")


@pytest.mark.parametrize(
    ("term", "python", "text", "latex"),
    [
        (x - (y - z), "x - (y - z)", "x − (y − z)", "x - (y - z)"),
        (x - (y + z), "x - (y + z)", "x − (y + z)", "x - (y + z)"),
        (x + (y - z), "x + y - z", "x + y − z", "x + y - z"),
        (x / (y * z), "x / (y * z)", "x / (y·z)", r"\frac{x}{y z}"),
        (x / y / z, "(x / y) / z", "(x / y) / z", r"\frac{x / y}{z}"),
        (x / (y / z), "x / (y / z)", "x / (y / z)", r"\frac{x}{y / z}"),
        (x * (y / z), "x * (y / z)", "x·(y / z)", r"x \frac{y}{z}"),
        (x * (y * z), "x * y * z", "x·y·z", "x y z"),
        (x * 2, "x * 2", "x·2", r"x \cdot 2"),
        (-(x + y), "-(x + y)", "−(x + y)", "-(x + y)"),
        (-x * y, "-x * y", "−x·y", "-x y"),
        (x - -y, "x - (-y)", "x − (−y)", "x - (-y)"),
        ((x + y) ** 2, "(x + y)**2", "(x + y)²", "(x + y)^2"),
        ((x / y) ** z, "(x / y)**z", "(x / y)^z", r"\left( \frac{x}{y} \right)^z"),
        ((x**y) ** z, "(x**y)**z", "(x^y)^z", "(x^y)^z"),
        (x ** (y + z), "x**(y + z)", "x^(y + z)", "x^{y + z}"),
        (2**x, "2**x", "2^x", "2^x"),
        (1 + x, "1 + x", "1 + x", "1 + x"),
        (1 - x, "1 - x", "1 − x", "1 - x"),
        (1 / x, "1 / x", "1 / x", r"\frac{1}{x}"),
        (x // y, "floor_div(x, y)", "⌊x / y⌋", r"\lfloor x / y \rfloor"),
        ((x / y) // z, "floor_div(x / y, z)", "⌊(x / y) / z⌋", None),
        (Term("where", x < y, x, z), "where(x < y, x, z)", "(x if x < y, else z)", None),
        (Term("where", x >= y, 1, 0), "where(x >= y, 1, 0)", "(1 if x ≥ y, else 0)", None),
        (Term("where", x <= y, 1, 0), "where(x <= y, 1, 0)", "(1 if x ≤ y, else 0)", None),
        (Term("where", x > y, 1, 0), "where(x > y, 1, 0)", "(1 if x > y, else 0)", None),
        (Term("binomial", x, y - 1), "binomial(x, y - 1)", "C(x, y − 1)", r"\binom{x}{y - 1}"),
    ],
)
def test_notations(term, python, text, latex):
    assert render(term, PYTHON) == python
    assert render(term, UNICODE) == text
    if latex is not None:
        assert render(term, LATEX) == latex
    values = {"x": 7, "y": 2, "z": 3}
    names = {**HELPERS, **values, "where": ops.where}
    assert Point(term, values).value == pytest.approx(eval(python, names))  # noqa: S307


def test_a_negative_number_put_in_is_bracketed():
    assert render(x - y, PYTHON, {"x": "1", "y": "-2"}.get) == "1 - (-2)"
    assert render(x**2, PYTHON, {"x": "-2"}.get) == "(-2)**2"


def cases(value):
    return where(value > 3, value, 3)


def branching(value):
    return 1 if value > 3 else 2


def composed(tokens, page_size, bits):
    return paged_tokens(tokens, page_size) * stored_bytes(maximum(3, 4), bits)


def test_a_formula_may_call_another():
    term, steps = record(composed)
    assert render(term, UNICODE) == "⌈tokens / page_size⌉·page_size·⌈4·bits / 8⌉"
    assert steps == {}
    assert repr(term) == "<term *>"


def test_what_a_record_takes():
    assert render(record(cases)[0], UNICODE) == "(value if value > 3, else 3)"
    assert Point(record(cases)[0], {"value": 2}).value == 3
    with pytest.raises(TypeError, match="may not branch"):
        record(branching)


def stepwise(tokens, page_size, bits):
    """Compute bytes of pages."""
    pages, rest = maximum(tokens, 1) * 2, tokens - 1
    padded = paged_tokens(pages, page_size)
    return padded * bits + rest + padded


def test_named_steps_are_the_local_variables_in_their_order():
    term, steps = record(stepwise)
    assert [*steps] == ["pages", "rest", "padded"]
    assert render(steps["padded"], UNICODE) == "⌈max(tokens, 1)·2 / page_size⌉·page_size"
    names = {id(step): name for name, step in steps.items()}
    assert render(term, UNICODE, steps=names) == "padded·bits + rest + padded"


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (x + 0, "x"),
        (0 + x, "x"),
        (x - 0, "x"),
        (1 * x, "x"),
        (x * 1, "x"),
        (x * 0, "0"),
        (0 * x, "0"),
        (x * 1.0, "x·1.0"),
        (x + 0.0, "x + 0.0"),
        (0 - x, "0 − x"),
        (ops.ratio(x, 1), "x / 1"),
        (ops.clip(x, 0, y), "min(max(x, 0), y)"),
        (ops.exact_div(y, x), "y / x"),
        (ops.ceil_div(7, x), "⌈7 / x⌉"),
        (ops.binomial_ratio(x, 5, y), "C(x, y) / C(5, y)"),
    ],
)
def test_operations_on_terms(term, text):
    assert render(term, UNICODE) == text


def test_one_symbol_for_a_name_wherever_it_stands():
    traced = [trace(formula) for formula in FORMULAS.values()]
    by_name = {}
    for expression in traced:
        for symbol in expression.free_symbols:
            assert by_name.setdefault(symbol.name, symbol) == symbol
    assert by_name["past"].is_nonnegative
    assert not by_name["past"].is_positive
    assert by_name["layers"].is_positive
    assert not by_name["peak"].is_integer


def test_equations_need_no_sympy():
    code = (
        "import sys; from dsv3calc.formulas.registry.registry import all_formulas\n"
        "from dsv3calc.symbolic.equations_of_formula import equations, unicode_equation\n"
        "for each in all_formulas().values(): equations(each), unicode_equation(each)\n"
        "assert not {'sympy', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
