"""``dsv3calc formula show``."""

import pytest

from dsv3calc.exit_status import ExitStatus
from dsv3calc.formulas.registry.registry import all_formulas
from dsv3calc.reading.diagnostics import text_width
from dsv3calc.symbolic.equations_of_formula import equations


def test_a_formula(program):
    text = program.ok("formula", "show", "cache_bytes").out
    for part in (
        "kv_cache.cache_bytes", "B_kv = B·ℓ·T·B_entry", ">>> cache_bytes(", "source: ", "holds:",
        "token_bytes",
    ):  # fmt: skip
        assert part in text
    assert program.ok("formula", "show", "kv_cache.cache_bytes").out == text


def test_latex(program):
    text = program.ok("formula", "show", "stage_start", "--latex").out
    assert text.splitlines() == list(equations(all_formulas()["stage_start"]))


@pytest.mark.parametrize("name", all_formulas())
def test_every_formula_is_shown(program, name):
    text = program.ok("formula", "show", name).out
    assert max(text_width(line) for line in text.splitlines()) <= 104
    (row,) = program.json("formula", "show", name).data["rows"]
    formula = all_formulas()[name]
    assert [each["name"] for each in row["parameters"]] == list(formula.parameters)
    assert row["source"]
    assert row["examples"]


def test_an_unknown_formula(program):
    found = program.refused(ExitStatus.USAGE, "formula", "show", "cache_bites")
    assert "did you mean 'cache_bytes'" in found.err
    assert "formula list" in program.refused(ExitStatus.USAGE, "formula", "show", "qqqq").err
    wrong = program.refused(ExitStatus.USAGE, "formula", "show", "memory.cache_bytes")
    assert "memory.cache_bytes" in wrong.err


def test_other_formats(program, schema):
    schema("answer").validate(program.json("formula", "show", "cache_bytes").data)
    assert program.ok("formula", "show", "cache_bytes", "--format", "csv").out.startswith("name,")
    assert "B_kv" in program.ok("formula", "show", "cache_bytes", "--format", "markdown").out


def test_show_tells_the_domains(program):
    shown = program.json("formula", "show", "mirrored_stage").data["rows"][0]
    assert [each["domain"] for each in shown["parameters"]] == [">= 1", ">= 0, < pp"]
    assert shown["result_domain"] == ">= 0, < pp"
    assert "[>= 0, < pp]" in program.ok("formula", "show", "mirrored_stage").out


def test_the_domain_of_a_cache_reduction(program):
    text = program.ok("formula", "show", "cache_reduction").out
    assert "at most as large as the reference" in text
    assert "Negative" not in text


def test_arguments_that_are_described_together_are_told_apart(program):
    text = program.ok("formula", "show", "layers_in_stage").out
    assert "i_a      first_layer    First layer of a stage, from 0. [>= 0]" in text
    assert "i_b      last_layer     Layer after the last one of a stage. [>= first_layer]" in text
    assert "`" not in text


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("cache_reduction", "δ_KV"), ("cache_hit_share", "η_hit"), ("crossing_share", "σ_out")],
)
def test_greek_letters(program, name, symbol):
    equation = program.ok("formula", "show", name).out.splitlines()[3]
    assert equation.startswith(f"  {symbol} = ")


def test_no_symbol_is_shown_in_tex(program):
    rows = program.json("formula", "list").data["rows"]
    assert not [row["symbol"] for row in rows if "\\" in row["symbol"]]
