"""The catalogue of formulas by what reaches them."""

import pytest

import dsv3calc
from dsv3calc.formulas.registry.reached import CODE, FILE, GOLDENS, NAME, ways_to
from dsv3calc.formulas.registry.registry import all_formulas
from dsv3calc.queries.table import QUERIES
from dsv3calc.reading.source import read_source

FORMULAS = all_formulas()


def test_the_file_lists_every_formula_with_how_it_is_reached():
    listed = read_source(FILE).data
    assert listed.keys() == FORMULAS.keys()
    for ways in listed.values():
        assert ways in ([CODE], [GOLDENS], [NAME]) or set(ways) <= QUERIES.keys() - {NAME}


@pytest.mark.parametrize(
    "query", ["kv llama-3.1-8b", "params mixtral-8x7b", "traffic mixtral-8x7b --hardware h100"]
)
def test_the_formulas_of_another_query_are_listed_with_its_command(query):
    ledger = dsv3calc.query(query)
    made_with = {line.formula for line in ledger.walk() if line.formula is not None}
    assert made_with
    for formula in made_with:
        assert query.partition(" ")[0] in ways_to(formula), formula.name
