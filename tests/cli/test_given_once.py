"""An option of one value that is given twice with different values is refused, by any command."""

import pytest

from dsv3calc.exit_status import ExitStatus


@pytest.mark.parametrize(
    ("arguments", "option", "values"),
    [
        ("kv deepseek-v3 --batch 2 --batch 4", "--batch", "'2' and '4'"),
        ("kv deepseek-v3 --batch=2 --batch 4", "--batch", "'2' and '4'"),
        ("flops deepseek-v3 --seq 1k --seq 2k --seq 1k", "--seq", "'1k' and '2k'"),
        (
            "memory deepseek-v3 --tp 8 --hardware h800 --hardware h100",
            "--hardware",
            "'h800' and 'h100'",
        ),
        ("limits ep deepseek-v3 --hardware h800 --hardware h100", "--hardware", "'h800' and"),
        ("params deepseek-v3 -o a.json --output b.json", "--output", "'a.json' and 'b.json'"),
        ("explain kv deepseek-v3 --batch 2 --batch 4", "--batch", "'2' and '4'"),
        (
            "formula solve kv_cache.bytes<=1GiB deepseek-v3 --for batch --batch 2 --batch 4",
            "--batch",
            "'2' and '4'",
        ),
        ("presets list models --preset-path a --preset-path b", "--preset-path", "'a' and 'b'"),
    ],
)
def test_two_values_of_one_option_are_refused(program, arguments, option, values):
    found = program.refused(ExitStatus.USAGE, *arguments.split())
    assert f"{option} is given twice with different values" in found.err
    assert values in found.err


def test_the_same_value_twice_is_that_value(program):
    once = program.json("kv", "deepseek-v3", "--batch", "2").values
    assert program.json("kv", "deepseek-v3", "--batch", "2", "--batch", "2").values == once


def test_repeatable_options_stay_repeatable(program):
    edits = ("--set", "num_hidden_layers=4", "--set", "vocab_size=1000")
    values = program.json("kv", "deepseek-v3", *edits).values
    assert values["kv_cache.bytes_per_token"] == 4 * 576 * 2
    varied = ("--vary", "deepseek-v3:attention=mqa", "--vary", "deepseek-v3:attention=gqa:8")
    assert len(program.json("compare", "deepseek-v3", *varied).data["columns"]) == 3


def test_a_value_that_looks_like_an_option_is_a_value(program):
    found = program("kv", "deepseek-v3", "--kv-dtype", "--batch", "--batch", "4")
    assert found.status == ExitStatus.USAGE
    assert "given twice" not in found.err


def test_options_are_again_single_after_a_refusal(program):
    twice = ("kv", "deepseek-v3", "--batch", "2", "--batch", "4")
    program.refused(ExitStatus.USAGE, *twice)
    values = program.json("kv", "deepseek-v3", "--batch", "2").values
    assert values["kv_cache.bytes"] == 2 * 4096 * 61 * 576 * 2
    assert "given twice" in program.refused(ExitStatus.USAGE, *twice).err


@pytest.mark.parametrize(
    "edits",
    [
        ("num_hidden_layers=3", "num_hidden_layers=4"),
        ("num_hidden_layers=3", "model.num_hidden_layers=4"),
        ("kv_format.bits=8", "kv_format.bits=4"),
    ],
)
def test_two_values_of_one_field_are_refused(program, edits):
    asked = ("kv", "deepseek-v3", "--set", edits[0], "--set", edits[1])
    found = program.refused(ExitStatus.USAGE, *asked)
    assert f"twice with different values: '{edits[0]}' and '{edits[1]}'" in found.err


def test_a_field_that_is_set_twice_alike_is_told_once(program):
    found = program.json("kv", "deepseek-v3", *("--set", "num_hidden_layers=4") * 2)
    assert found.values["kv_cache.bytes_per_token"] == 4 * 576 * 2
    assert sum("num_hidden_layers" in text for text in found.data["assumptions"]) == 1


def test_a_field_that_is_set_can_be_solved_for(program):
    found = program.json(
        *("formula", "solve", "kv_cache.bytes_per_token<=11520", "kv", "deepseek-v3"),
        *("--for", "num_hidden_layers", "--set", "num_hidden_layers=30"),
    )
    # 576 elements of 2 bytes in each layer
    assert found.data["rows"][-1]["num_hidden_layers"] == 10
