import pytest
import yaml

from dsv3calc.exit_status import ExitStatus


@pytest.mark.parametrize(
    ("folder", "name"),
    [("models", "deepseek-v3"), ("hardware", "h800"), ("comparisons", "mla-vs-gqa")],
)
def test_the_file_as_it_is(program, preset_text, folder, name):
    assert program.ok("presets", "show", name).out == preset_text(folder, name)


def test_what_is_shown_is_a_preset(program, file):
    path = file("copy.yaml", program.ok("presets", "show", "deepseek-v3").out)
    values = program.json("params", path).values
    assert values["parameters.total"] == 671_026_419_200
    assert yaml.safe_load(path.read_text("utf-8"))["name"] == "deepseek-v3"


def test_an_alias(program, preset_text):
    found = program.ok("presets", "show", "deepseek-r1")
    assert found.out == preset_text("models", "deepseek-v3")


def test_fields_in_base_units(program):
    data = program.json("presets", "show", "h800").data
    fields = {row["field"]: row["value"] for row in data["rows"]}
    assert fields["memory.bandwidth"] == 3_350_000_000_000
    assert data["query"]["kind"] == "hardware"
    lines = program.ok("presets", "show", "h800", "--format", "csv").out.splitlines()
    assert lines[0] == "field,value"
    assert "memory.bandwidth,3350000000000" in lines


def test_a_name_of_several_kinds(program):
    found = program.refused(ExitStatus.USAGE, "presets", "show", "bf16")
    assert "--kind precision" in found.err
    assert (
        program.json("presets", "show", "bf16", "--kind", "kv_format").data["query"]["kind"]
        == "kv_format"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "NAME"),
        (["deepseekv3"], "did you mean 'deepseek-v3'"),
        (["bf16", "--kind", "models"], "no model preset"),
        (["h800", "--kind", "hardwre"], "did you mean 'hardware'"),
        (["\x1b[31m"], "there is no preset"),
    ],
)
def test_wrong_names(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, "presets", "show", *arguments).err


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "./nothing.yaml", "../x", "./"])
def test_wrong_files(program, path):
    program.refused(ExitStatus.INVALID_INPUT, "presets", "show", path)
