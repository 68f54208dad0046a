"""``dsv3calc formula list``."""

from dsv3calc.exit_status import ExitStatus
from dsv3calc.formulas.registry.registry import SUBJECTS, all_formulas


def test_all_formulas_are_listed(program):
    rows = program.json("formula", "list").data["rows"]
    assert [row["name"] for row in rows] == list(all_formulas())
    assert {row["subject"] for row in rows} == set(SUBJECTS)
    assert all(row["summary"].endswith(".") for row in rows)


def test_one_subject(program):
    text = program.ok("formula", "list", "kv_cache").out
    assert "cache_bytes" in text
    assert "stage_start" not in text


def test_an_unknown_subject(program):
    found = program.refused(ExitStatus.USAGE, "formula", "list", "kvcache")
    assert "did you mean 'kv_cache'" in found.err
    assert "subjects: " in program.refused(ExitStatus.USAGE, "formula", "list", "qq").err


def test_other_formats(program):
    assert program.ok("formula", "list", "--format", "csv").out.startswith("name,subject,symbol")
    assert "| cache_bytes" in program.ok("formula", "list", "--format", "markdown").out
