"""The catalogue of formulas: what the code uses is reached by a query that the generator asks."""

import ast
from pathlib import Path

import dsv3calc
from dsv3calc.formulas.registry.reached import FILE, GOLDENS, NAME, ways_to
from dsv3calc.formulas.registry.registry import SUBJECTS, all_formulas
from dsv3calc.queries.table import QUERIES
from dsv3calc.reading.source import read_source

PACKAGE = Path(dsv3calc.__file__).parent
FORMULAS = all_formulas()


def used_outside_of_formulas():
    """Yield the formulas that other code names as attributes of a module of formulas."""
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(PACKAGE / "formulas"):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        modules = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "dsv3calc.formulas"
            for alias in node.names
            if alias.name in SUBJECTS
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in modules:
                yield node.attr


def test_the_file_lists_every_formula_with_how_it_is_reached():
    listed = read_source(FILE).data
    assert listed.keys() == FORMULAS.keys()
    for ways in listed.values():
        assert ways in ([GOLDENS], [NAME]) or set(ways) <= QUERIES.keys() - {NAME}


def test_what_the_code_uses_is_reached_by_a_command():
    used = FORMULAS.keys() & set(used_outside_of_formulas())
    assert len(used) > 100
    assert not {name for name in used if ways_to(FORMULAS[name]) in ([GOLDENS], [NAME])}
