import os

import pytest

from dsv3calc.exit_status import ExitStatus

MODELS = {
    "deepseek-v3", "deepseek-v3.2", "deepseek-v2", "deepseek-v2-lite", "deepseek-llm-67b",
    "llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b", "llama-2-70b", "qwen2.5-7b", "qwen2.5-72b",
    "qwen-72b", "qwen3-32b", "qwen3-235b-a22b", "mixtral-8x7b", "kimi-k2", "glm-4.5",
    "gpt-oss-120b", "gemma-3-27b", "llama-4-maverick", "mistral-7b",
}  # fmt: skip
HARDWARE = {
    "h800", "h100", "h200", "h20", "a100-80g", "b200", "gb200-nvl72", "mi300x", "ascend-910c",
}  # fmt: skip


def test_all_kinds(program):
    rows = program.json("presets", "list").data["rows"]
    assert {row["kind"] for row in rows} >= {
        "model", "hardware", "precision", "kv_format", "comparison",
    }  # fmt: skip
    names = {kind: {r["name"] for r in rows if r["kind"] == kind} for kind in ("model", "hardware")}
    assert names["model"] >= MODELS
    assert names["hardware"] >= HARDWARE


@pytest.mark.parametrize("word", ["models", "model"])
def test_one_kind(program, word):
    rows = program.json("presets", "list", word).data["rows"]
    assert {row["kind"] for row in rows} == {"model"}
    assert "deepseek-r1" in next(r for r in rows if r["name"] == "deepseek-v3")["aliases"]


def test_names_alone(program):
    assert set(program.ok("presets", "list", "hardware", "--names").out.split()) >= HARDWARE


def test_nothing_of_that_kind_elsewhere_is_no_error(program, tmp_path):
    (tmp_path / "presets" / "models").mkdir(parents=True)
    rows = program.json("presets", "list", "models", "--preset-path", "presets").data["rows"]
    assert {row["name"] for row in rows} >= MODELS


def test_an_unknown_kind(program):
    found = program.refused(ExitStatus.USAGE, "presets", "list", "modls")
    assert "did you mean 'models'" in found.err


def test_a_preset_path_that_does_not_exist_is_said(program):
    found = program("presets", "list", "models", "--preset-path", "nowhere")
    assert "nowhere" in found.err + found.out


def test_hostile_files_are_listed_without_harm(program, file, tmp_path, preset_text):
    folder = tmp_path / "mine" / "models"
    file("mine/models/good.yaml", preset_text("models", "llama-3.1-8b"))
    file("mine/models/broken.yaml", "a: [")
    file("mine/models/binary.yaml", b"\xff\xfe\x00")
    file("mine/models/evil\x1b[31m.yaml", "title: x\x1b[31m\n")
    (folder / "folder.yaml").mkdir()
    (folder / "loop.yaml").symlink_to("loop.yaml")
    found = program.ok("presets", "list", "models", "--preset-path", "mine")
    assert "good" in found.out
    assert "\x1b" not in found.out
    for form in ("csv", "markdown"):
        listed = program.ok("presets", "list", "--preset-path", "mine", "--format", form)
        assert "\x1b" not in listed.out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_among_the_presets_does_not_hang(program, file, preset_text, within):
    os.mkfifo(file("mine/models/good.yaml", preset_text("models", "qwen-72b")).with_name("p.yaml"))
    with within(5):
        program.ok("presets", "list", "models", "--preset-path", "mine")
        program.refused(ExitStatus.USAGE, "params", "nope", "--preset-path", "mine")
        assert program("params", "p", "--preset-path", "mine").status != ExitStatus.OK


@pytest.mark.parametrize("kind", ["models", "hardware"])
def test_figures_fit_a_terminal_of_80_columns(program, monkeypatch, kind):
    monkeypatch.setattr("dsv3calc.output.table.terminal_width", lambda _: 80)
    found = program.ok("presets", "list", kind).out
    lines = found.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(set(line.strip()) == {"─"} for line in lines) == 1  # one table
    if kind == "hardware":
        assert "no room for: domain, scale out (--format csv has all)" in found
        monkeypatch.setattr("dsv3calc.output.table.terminal_width", lambda _: 120)
        assert "no room for" not in program.ok("presets", "list", kind).out


def test_models_have_what_grows_and_what_does_not(program):
    rows = program.json("presets", "list", "models").data["rows"]
    gemma = next(row for row in rows if row["name"] == "gemma-3-27b")
    # 62 layers of 16 heads of 128, keys and values in 2 bytes; 10 of them without a window of 1,024
    assert gemma["kv_bytes_per_token"] == 62 * 2 * 16 * 128 * 2
    assert gemma["kv_growing_bytes_per_token"] == 10 * 2 * 16 * 128 * 2
    assert gemma["constant_bytes_per_sequence"] == 52 * 1024 * 2 * 16 * 128 * 2
    llama = next(row for row in rows if row["name"] == "llama-3.1-8b")
    assert llama["kv_growing_bytes_per_token"] == llama["kv_bytes_per_token"] == 131_072
    assert llama["constant_bytes_per_sequence"] == 0
