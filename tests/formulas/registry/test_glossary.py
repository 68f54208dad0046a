"""The law of names holds for every formula and every schema."""

import msgspec
from every import for_every
from load_script import load_script

from dsv3calc.formulas.registry.glossary import BY_SUBJECT, INTERMEDIATE, SYMBOLS, latex
from dsv3calc.formulas.registry.plain_text import plain
from dsv3calc.formulas.registry.registry import all_formulas
from dsv3calc.formulas.registry.units import UNITS
from dsv3calc.schema.comparison import Design
from dsv3calc.symbolic.term import record

FORMULAS = all_formulas()
UNIT_OF = {
    "bytes": "B",
    "bytes/s": "B/s",
    "flop/s": "FLOP/s",
    "s": "s",
    "ratio": "ratio",
    "tokens": "tokens",
    "w": "W",
    "usd": "USD",
    "usd/h": "USD/h",
}
schemas = load_script("generate_schemas")


def structs():
    """Return every struct of a preset file; rows of goldens and studies hold any quantity."""
    found = {}
    for kind, struct in schemas.PRESETS.items():
        if kind not in ("golden", "study"):
            schemas.structs_of(struct, found)
    return sorted(found.values(), key=lambda struct: struct.__name__)


STRUCTS = structs()


def number_fields(struct):
    for field in msgspec.structs.fields(struct):
        if schemas.is_number(field.type) and (struct, field.name) != (Design, "set"):
            yield field


@for_every(FORMULAS.values())
def test_every_argument_is_listed_with_its_unit(formula):
    for name, unit in zip(formula.parameters, formula.argument_units, strict=True):
        assert name in SYMBOLS, f"add {name} to dsv3calc/formulas/registry/symbols/"
        assert SYMBOLS[name].unit == unit


@for_every(FORMULAS.values())
def test_what_counts_something_is_typed_as_an_integer(formula):
    """Bytes, FLOPs and elements may still be expectations: those are real in the table."""
    fractional = {"FlopsPerSecond", "BytesPerSecond", "Seconds", "Ratio", "Intensity", "Expected"}
    for name in formula.parameters:
        if formula.function.__annotations__[name] in fractional:
            assert not SYMBOLS[name].whole


@for_every(FORMULAS.values())
def test_names_that_meet_in_a_formula_look_different(formula):
    _, steps = record(formula.function)
    names = [*formula.parameters, *(name for name in steps if name in INTERMEDIATE)]
    shown = [latex(name) for name in names]
    assert len(set(shown)) == len(shown)
    assert formula.symbol not in shown, "the result is written as one of the arguments"
    plainly = [plain(symbol) for symbol in (*shown, formula.symbol)]
    assert len(set(plainly)) == len(plainly)


def test_no_two_names_share_a_symbol():
    """A whole composition in symbols has every name in it at once."""
    shown = [symbol.latex for symbol in SYMBOLS.values()]
    assert len(set(shown)) == len(shown)
    assert len(SYMBOLS) == sum(map(len, BY_SUBJECT.values())), "a name stands under two subjects"
    assert not SYMBOLS.keys() & INTERMEDIATE.keys()
    assert len({plain(symbol) for symbol in shown}) == len(shown)


@for_every(STRUCTS)
def test_every_number_of_a_schema_is_listed_with_its_unit(struct):
    for field in number_fields(struct):
        assert field.name in SYMBOLS, f"add {field.name} to dsv3calc/formulas/registry/symbols/"
        dimension, _ = schemas.dimension_of(field.type)
        if dimension:
            assert SYMBOLS[field.name].unit == UNIT_OF[dimension]
        else:
            assert SYMBOLS[field.name].unit in ("1", "elements", "tokens", "bit", "ratio")


def test_nothing_is_listed_that_nothing_uses():
    used = {name for formula in FORMULAS.values() for name in formula.parameters}
    used |= {field.name for struct in STRUCTS for field in number_fields(struct)}
    assert set(SYMBOLS) <= used
    steps = {name for formula in FORMULAS.values() for name in record(formula.function)[1]}
    assert set(INTERMEDIATE) <= steps


@for_every([*SYMBOLS, *INTERMEDIATE])
def test_rows_are_in_form(name):
    symbol = SYMBOLS.get(name) or INTERMEDIATE[name]
    assert symbol.unit in {*UNITS.values(), "USD", "USD/h", "W"}
    assert symbol.least in (0, 1)
    assert symbol.description
    assert symbol.description[-1] != "."
    assert "\\" not in plain(symbol.latex)


def test_a_symbol_as_plain_text():
    assert plain(r"F_{12Lh^2}") == "F_12Lh²"
    assert plain(r"\pi_\mathrm{dtype}") == "π_dtype"
