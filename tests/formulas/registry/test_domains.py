"""Where formulas hold: each argument has a domain, and inside of all no result is impossible."""

import random

import numpy as np
import pytest

from dsv3calc.formulas.registry.domains import (
    conditions,
    domain_of,
    names_in,
    result_violated,
    violated,
)
from dsv3calc.formulas.registry.glossary import SYMBOLS
from dsv3calc.formulas.registry.registry import all_formulas

FORMULAS = all_formulas()
DRAWS = 60
MOST_TRIES = 200_000


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=str)
def test_every_argument_has_a_domain_in_the_formula_s_names(formula):
    for name in formula.parameters:
        assert domain_of(formula, name)
    for texts in conditions(formula).values():
        for text in texts:
            assert set(names_in(text)) <= set(formula.parameters)
    for text in formula.result:
        assert set(names_in(text)) <= {*formula.parameters, "result"}


def drawn(name, source):
    """Draw a number of the size that such an argument has."""
    if not SYMBOLS[name].whole:
        large = source.uniform(0, 50) if SYMBOLS[name].unit == "1" else 1e9
        return source.choice([0.0, source.random(), 1.0, large])
    if SYMBOLS[name].unit == "bit":
        return source.randint(SYMBOLS[name].least, 64)
    return source.choice([SYMBOLS[name].least, source.randint(1, 9), source.randint(1, 300)])


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=str)
def test_inside_the_domain_every_result_is_possible(formula):
    source = random.Random(formula.name)  # noqa: S311 - draws of a test
    inside = 0
    for _ in range(MOST_TRIES):
        values = {name: drawn(name, source) for name in formula.parameters}
        if violated(formula, values):
            continue
        result = formula.function(**values)
        rounding = 1e-12 * (1 + abs(result)) if type(result) is float else 0
        assert not result_violated(formula, values, result) or not (
            result_violated(formula, values, result + rounding)
            and result_violated(formula, values, result - rounding)
        ), (values, result)
        inside += 1
        if inside == DRAWS:
            break
    assert inside == DRAWS, "the domain is too narrow to draw from"


def test_arrays_are_inside_where_all_their_elements_are():
    formula = FORMULAS["mirrored_stage"]
    ranks = np.array([0, 7, 15])
    assert violated(formula, {"pp": 16, "rank": ranks}) is None
    assert violated(formula, {"pp": 15, "rank": ranks}) == ("rank", "rank < pp")
