from pathlib import Path

import pytest

from dsv3calc.catalogue.search_path import FOLDERS, packaged_presets
from dsv3calc.exit_status import ExitStatus

SHIPPED = sorted(
    str(path) for folder in FOLDERS.values() for path in Path(packaged_presets(), folder).glob("*")
)


def test_everything_shipped(program):
    data = program.json("presets", "validate", *SHIPPED).data
    assert len(data["rows"]) == len(SHIPPED)
    assert all(row["valid"] is True for row in data["rows"])
    assert data["warnings"] == []


def test_a_config(program, config):
    (row,) = program.json("presets", "validate", config("deepseek_v3")).data["rows"]
    assert row["kind"] == "model"


def test_all_problems_of_all_files(program, file):
    first = file("first.yaml", "name: a\nname: b\n")
    second = file("second.yaml", "groups: 7\nhiden_size: 7K\n")
    found = program.refused(
        ExitStatus.INVALID_INPUT, "presets", "validate", first, SHIPPED[0], second
    )
    assert "first.yaml:2:1: error: duplicate key 'name'" in found.err
    assert "second.yaml:1:9: error: groups is 7, which is not a list" in found.err
    assert "did you mean: hidden_size" in found.err
    assert "problems found" in found.err


def test_a_name_that_is_not_the_files(program, file, preset_text):
    path = file("other.yaml", preset_text("models", "llama-2-70b"))
    data = program.json("presets", "validate", path).data
    assert any("llama-2-70b" in text for text in data["warnings"])


def test_stdin(program, preset_text):
    found = program.ok("presets", "validate", "-", stdin=preset_text("models", "llama-2-70b"))
    assert "model" in found.out


@pytest.mark.parametrize("name", ["nothing.yaml", "/dev/null", "./", "deepseek-v3"])
def test_what_is_no_file(program, name):
    program.refused(ExitStatus.INVALID_INPUT, "presets", "validate", name)


def test_a_comparison_of_nonsense_is_not_valid(program, file):
    text = "name: mine\ntitle: T\ndesigns: [{model: deepseek-v3, set: {x: 1}}]\nrows: [what]\n"
    path = file("mine.yaml", text)
    program.refused(ExitStatus.INVALID_INPUT, "presets", "validate", path)


def test_no_file(program):
    assert "FILE" in program.refused(ExitStatus.USAGE, "presets", "validate").err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("formats:\n  linear_input: fp7\n", "formats.linear_input names 'fp7', which is unknown"),
        ("formats:\n  querys: fp8\n", "did you mean 'queries'?"),
        ("keep: [foo]\n", "keep names 'foo', which is unknown"),
    ],
)
def test_what_is_recomputed_is_known_before_it_is_used(program, file, preset_text, more, words):
    path = file("none.yaml", preset_text("recompute", "none") + more)
    use = ("memory", "llama-3.1-8b", "--tp", "1", "--hardware", "h100", "--recompute", path)
    for query in (("presets", "validate", path), use):
        found = program.refused(ExitStatus.INVALID_INPUT, *query)
        assert words in found.err
        assert "none.yaml:" in found.err
