"""Presets of one's own: what may be left out, and what a query then needs."""

# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.__main__ import run
from dsv3calc.catalogue.references import heading, hint_for
from dsv3calc.catalogue.search_path import listing, packaged_presets
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.studies.presets.templates import TEMPLATES, new_preset

DEVICE = "memory: {marketed: 80 GB, usable: 76 GiB}\npeaks: {bf16: 700 TFLOPS}\n"


@pytest.fixture
def device(tmp_path):
    def written(more="", name="ours.yaml"):
        path = tmp_path / name
        path.write_text(DEVICE + more)
        return str(path)

    return written


def test_a_device_of_two_lines_is_enough_for_memory(device):
    own = dsv3calc.query(f"memory llama-3.1-70b --serve --tp 8 --hardware {device()}")
    shipped = dsv3calc.query("memory llama-3.1-70b --serve --tp 8 --hardware h100")
    assert own["serving.weights"] == shipped["serving.weights"]
    assert own["serving.budget"] == 76 * 2**30 * 9 // 10


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("compare llama-3.1-70b --hardware {}", "memory bandwidth of ours is not known"),
        ("traffic deepseek-v3 --ep 8 --hardware {}", "ours has no scale-up link"),
    ],
)
def test_what_is_missing_is_named_where_it_is_needed(device, query, words):
    with pytest.raises(UsageError, match=words):
        dsv3calc.answer(query.format(device()))


def test_a_source_is_a_line_and_its_absence_an_assumption(device):
    told = dsv3calc.answer(f"memory llama-3.1-70b --serve --tp 8 --hardware {device()}")
    (source,) = [each for each in told.sources if each["id"].startswith("ours:")]
    assert source["kind"] == "assumed"
    assert "names no source" in source["citation"]
    measured = device("source: own measurement, 2026-11\n")
    told = dsv3calc.answer(f"memory llama-3.1-70b --serve --tp 8 --hardware {measured}")
    (source,) = [each for each in told.sources if each["id"].startswith("ours:")]
    assert (source["kind"], source["citation"]) == ("measured", "own measurement, 2026-11")


@pytest.mark.parametrize(
    ("more", "line", "words"),
    [
        ("powr: 700\n", 3, "unknown field 'powr'"),
        ("node_size: many\n", 3, "many"),
        ("source: 5\n", 1, "citation|source"),
    ],
)
def test_errors_stand_at_the_line_that_they_mean(device, more, line, words):
    with pytest.raises(InvalidInput) as caught:
        dsv3calc.load_hardware(device(more))
    (problem,) = caught.value.problems
    assert problem.line == line
    assert re.search(words, problem.what + problem.path)


def test_a_layout_may_be_one_line(tmp_path):
    path = tmp_path / "four ways.yaml"
    path.write_text("tp: 4\n")
    found = dsv3calc.query(f"memory llama-3.1-8b --layout '{path}' --hardware h100")
    given = dsv3calc.query("memory llama-3.1-8b --tp 4 --dp 1 --hardware h100")
    assert found["memory.worst.total"] == given["memory.worst.total"]


@pytest.mark.parametrize("kind", TEMPLATES)
def test_templates_are_valid_once_dated_and_used(kind, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    assert run(["presets", "new", kind, "mine", "-o", str(path)]) == 0
    if "YYYY-MM" in path.read_text():
        assert run(["presets", "validate", str(path)]) == 3
        assert "source still has the placeholder YYYY-MM" in capsys.readouterr().err
        path.write_text(path.read_text().replace("YYYY-MM", "2026-11"))
    assert run(["presets", "validate", str(path)]) == 0
    assert kind in capsys.readouterr().out
    option = {"hardware": "", "layout": "--hardware h100", "setup": "--tp 8 --hardware h100"}[kind]
    more = "--tp 8" if kind == "hardware" else ""
    query = f"memory llama-3.1-70b --serve --{kind} {path} {option} {more}"
    assert dsv3calc.query(query)["serving.total"] > 0


@pytest.mark.parametrize(("kind", "name"), [("model", "x"), ("hardwre", "x"), ("layout", "a b")])
def test_what_cannot_be_started_is_refused(kind, name):
    with pytest.raises(UsageError):
        new_preset(kind, name)


def test_shipped_files_name_their_sources():
    for kind in ("hardware", "layout", "network", "setup"):
        for _, path in listing(kind).values():
            if path.startswith(packaged_presets()):
                assert re.search(r"^sources:", Path(path).read_text("utf-8"), re.MULTILINE), path


def test_an_id_of_the_hub_names_its_preset(tmp_path, monkeypatch):
    assert dsv3calc.load_model("deepseek-ai/DeepSeek-V3") == dsv3calc.load_model("deepseek-v3")
    assert dsv3calc.load_model("meta-llama/Llama-3.1-8B").name == "llama-3.1-8b"
    for name, preset in (
        ("deepseek-ai/DeepSeek-R1", "deepseek-v3"),
        ("DeepSeek-V3-0324", "deepseek-v3"),
        ("mistralai/Mixtral-8x7B-v0.1", "mixtral-8x7b"),
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct", "qwen3-coder-480b"),
    ):
        assert dsv3calc.load_model(name).name == preset
    with pytest.raises(InvalidInput, match=r"presets of its family: deepseek-\S+, deepseek-"):
        dsv3calc.load_model("deepseek-ai/DeepSeek-V7")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deepseek-ai").mkdir()
    with pytest.raises(InvalidInput, match="no such file"):
        dsv3calc.load_model("deepseek-ai/DeepSeek-V3")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("deepsek-v3", "did you mean 'deepseek-v3'?"),
        ("V3-0324", "did you mean 'deepseek-v3-0324'?"),
        ("Qwen3-30B-A3B-FP8", "presets of its family: qwen3-235b-a22b, qwen3-"),
        ("llama-8b", "presets of its family: llama-3.1-8b, llama-"),
        ("zzz", ""),
    ],
)
def test_another_model_is_not_taken_for_a_misspelt_one(name, hint):
    known = listing("model")
    aliases = [each for _, path in known.values() for each in heading(path)[1]]
    assert hint_for(name, known, aliases).startswith(hint)
    assert bool(hint_for(name, known, aliases)) == bool(hint)


def test_a_name_means_one_model():
    known = listing("model")
    names = [*known, *(each for _, path in known.values() for each in heading(path)[1])]
    assert len(names) == len(set(names))


def test_the_only_command_of_a_group_is_suggested_whole(capsys):
    assert run(["limits", "deepseek-v3", "--hardware", "h800"]) == 2
    assert "'dsv3calc limits ep deepseek-v3 --hardware h800'" in capsys.readouterr().err
