"""Every formula is registered, documented in the fixed form, and typed with known units."""

import doctest
import inspect
import re
import typing
from pathlib import Path

import pytest
from every import for_every

import dsv3calc
from dsv3calc.formulas.registry import registry, units
from dsv3calc.formulas.registry.registry import SUBJECTS, Formula, all_formulas, formula

FORMULAS = all_formulas()
every_formula = for_every(FORMULAS.values())
SECTIONS = ("Parameters", "Returns", "Notes", "Examples", "Source")


def sections_of(entry):
    """Split a docstring at its underlined headings; the text before them is ''."""
    parts = re.split(r"^(\w+)\n-{3,}\n", inspect.getdoc(entry.function), flags=re.MULTILINE)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


def documented_names(text):
    headings = [line for line in text.splitlines() if line and not line.startswith(" ")]
    return [name for heading in headings for name in heading.split(", ")]


def test_subjects_list_every_module_of_formulas():
    folder = Path(dsv3calc.__file__).parent / "formulas"
    modules = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    assert sorted(SUBJECTS) == modules
    assert {entry.subject for entry in FORMULAS.values()} == set(SUBJECTS)


def test_every_public_function_of_a_subject_is_a_formula():
    for subject in SUBJECTS:
        module = __import__(f"dsv3calc.formulas.{subject}", fromlist=[subject])
        functions = {
            name
            for name, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == module.__name__
        }
        registered = {name for name, entry in FORMULAS.items() if entry.subject == subject}
        assert functions == registered


@every_formula
def test_docstring_has_the_sections_in_order(entry):
    sections = sections_of(entry)
    assert tuple(sections) == ("", *SECTIONS)
    assert all(text.strip() for text in sections.values())


@every_formula
def test_docstring_starts_with_one_sentence_and_the_equation(entry):
    opening = sections_of(entry)[""]
    summary, _, equation = opening.partition("\n\n")
    assert "\n" not in summary
    assert summary.endswith(".")
    assert equation.startswith(".. math::")
    assert entry.symbol


@every_formula
def test_docstring_names_every_argument_in_order(entry):
    assert documented_names(sections_of(entry)["Parameters"]) == list(entry.parameters)


@every_formula
def test_docstring_has_an_example_that_calls_the_formula(entry):
    examples = doctest.DocTestParser().get_examples(sections_of(entry)["Examples"])
    assert any(f"{entry.name}(" in example.source for example in examples)
    assert all(example.want.strip() for example in examples)


@every_formula
def test_source_ends_in_a_full_stop(entry):
    assert sections_of(entry)["Source"].strip().endswith(".")


@every_formula
def test_units_are_read_from_the_annotations(entry):
    hints = typing.get_type_hints(entry.function, include_extras=True)
    declared = [hints[name].__metadata__[0] for name in entry.parameters]
    assert list(entry.argument_units) == declared
    assert entry.unit == hints["return"].__metadata__[0]


@every_formula
def test_arguments_are_positional_without_defaults(entry):
    parameters = inspect.signature(entry.function).parameters.values()
    assert [each.name for each in parameters] == list(entry.parameters)
    assert all(each.default is inspect.Parameter.empty for each in parameters)
    assert all(each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for each in parameters)


def test_units_equal_the_metadata_of_their_aliases():
    aliases = {
        name: value.__metadata__[0]
        for name, value in vars(units).items()
        if hasattr(value, "__metadata__")
    }
    assert aliases == units.UNITS


def test_decorating_leaves_the_function_as_it_is(monkeypatch):
    monkeypatch.setattr(registry, "FORMULAS", {})

    def doubled(sequence: "Tokens") -> "Tokens":  # noqa: F821 - units are read by name
        return 2 * sequence

    assert formula("D")(doubled) is doubled
    entry = registry.FORMULAS["doubled"]
    assert (entry.parameters, entry.argument_units, entry.unit) == (
        ("sequence",),
        ("tokens",),
        "tokens",
    )


def test_two_formulas_cannot_share_a_name(monkeypatch):
    monkeypatch.setattr(registry, "FORMULAS", dict(FORMULAS))
    function = FORMULAS["heads_width"].function
    with pytest.raises(ValueError, match="two formulas are called heads_width"):
        formula("d")(function)


def test_an_unknown_unit_is_refused():
    def wrong(sequence: "Furlongs") -> "Tokens":  # noqa: F821 - units are read by name
        return sequence

    with pytest.raises(KeyError, match="Furlongs"):
        Formula(wrong, "w")


def test_all_formulas_are_sorted_by_name():
    assert list(FORMULAS) == sorted(FORMULAS)
    assert repr(FORMULAS["heads_width"]) == "<formula attention.heads_width>"
