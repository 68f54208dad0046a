from pathlib import Path

import pytest

from dsv3calc.exit_status import ExitStatus


@pytest.fixture
def smaller(preset_text):
    """Return a preset that calls itself deepseek-v3 and is a little smaller."""
    return preset_text("models", "deepseek-v3").replace(
        "num_hidden_layers: 61", "num_hidden_layers: 60"
    )


def rows(program, *arguments):
    return program.json("presets", "where", *arguments).data["rows"]


def test_the_shipped_one(program):
    (row,) = rows(program, "deepseek-v3")
    assert row["from"] == "shipped"
    assert row["used"] is True
    assert Path(row["file"]).is_file()


def test_an_alias(program):
    (row,) = rows(program, "deepseek-r1")
    assert "alias of deepseek-v3" in row["from"]


def test_the_order_of_places(program, file, monkeypatch, tmp_path, smaller):
    for place in ("option", "variable", "presets", "config/dsv3calc/presets"):
        file(f"{place}/models/deepseek-v3.yaml", smaller)
    monkeypatch.setenv("DSV3CALC_PATH", f"{tmp_path}/variable")
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{tmp_path}/config")
    (tmp_path / "below" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "below" / "deeper")
    found = rows(program, "deepseek-v3", "--preset-path", str(tmp_path / "option"))
    assert [row["from"] for row in found] == [
        "--preset-path", "DSV3CALC_PATH", "project presets/", "user configuration",
        "shipped",
    ]  # fmt: skip
    assert [row["used"] for row in found] == [True, False, False, False, False]
    values = program.json("params", "deepseek-v3").values
    assert values["parameters.total"] < 671_026_419_200


def test_several_directories_in_the_variable(program, file, monkeypatch, smaller):
    file("second/models/deepseek-v3.yaml", smaller)
    Path("first").mkdir()
    monkeypatch.setenv("DSV3CALC_PATH", ":first::second:")
    assert rows(program, "deepseek-v3")[0]["file"] == "second/models/deepseek-v3.yaml"


def test_it_tells_of_a_broken_file_that_wins(program, file):
    file("mine/models/deepseek-v3.yaml", "oops: 1\n")
    found = program("presets", "where", "deepseek-v3", "--preset-path", "mine")
    assert "mine/models/deepseek-v3.yaml" in found.out + found.err


@pytest.mark.parametrize(
    "name", ["nope", "bf16", "../x.y", "CON", "a" * 5000, "é中", "\x1b[31m", ""]
)
def test_wrong_names(program, name):
    found = program("presets", "where", name)
    assert found.status in (ExitStatus.USAGE, ExitStatus.INVALID_INPUT)
    program.refused(found.status, "presets", "where", name)
