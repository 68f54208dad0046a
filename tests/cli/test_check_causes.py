"""check in short: a line for each cause, where it is, and how to accept it."""

# SPDX-License-Identifier: Apache-2.0
import json
import re
from pathlib import Path

import pytest

from dsv3calc.__main__ import run
from dsv3calc.catalogue.search_path import packaged_presets
from dsv3calc.exit_status import ExitStatus

QUERIES = ("params ./model.yaml", "flops ./model.yaml", "flops ./model.yaml --phase decode")


@pytest.fixture
def moved(tmp_path, monkeypatch, capsys):
    """A model of which one field was changed after a snapshot; return the line of the field."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    model = Path("model.yaml")
    model.write_text((Path(packaged_presets()) / "models" / "mixtral-8x7b.yaml").read_text())
    assert run(["snapshot", *QUERIES, "-o", "numbers.yaml"]) == 0
    before = model.read_text()
    model.write_text(re.sub("num_experts_per_tok: 2", "num_experts_per_tok: 3", before))
    capsys.readouterr()
    lines = before.splitlines()
    return next(n for n, text in enumerate(lines, 1) if "num_experts_per_tok" in text)


def test_a_cause_is_a_line(moved, program):
    found = program("check", "numbers.yaml")
    assert found.status == ExitStatus.CHECK_FAILED
    rows = json.loads(program("check", "numbers.yaml", "--json").out)["rows"]
    changed = [row for row in rows if row["status"] == "moved"]
    count = len(changed)
    cause = f"{count} rows changed: num_experts_per_tok 2 -> 3 at model.yaml:{moved}"
    assert cause in found.out
    assert f"and {count - 3} more: --all lists them" in found.out
    assert "accept the new values with: dsv3calc check numbers.yaml --update" in found.out
    assert len(found.out.splitlines()) < 14
    assert all(row["changed_at"] == [f"model.yaml:{moved}"] for row in changed)
    everything = program("check", "numbers.yaml", "--all").out
    assert all(f"{row['quantity']} of {row['query']}" in everything for row in changed)
    assert "more: --all" not in everything


def test_the_line_that_changed_is_annotated_and_each_cause_once(moved, program):
    out = program("check", "numbers.yaml", "--format", "github").out
    errors = [line for line in out.splitlines() if line.startswith("::error")]
    assert len(errors) == 2
    assert errors[0].startswith("::error file=numbers.yaml,line=")
    assert "other rows changed with it" in errors[0]
    assert errors[1].startswith(f"::error file=model.yaml,line={moved},title=")
    assert "num_experts_per_tok 2 -> 3" in errors[1]


@pytest.mark.usefixtures("moved")
def test_what_is_told_accepts_the_change(program):
    told = re.search("dsv3calc (check .* --update)", program("check", "numbers.yaml").out)[1]
    assert program(*told.split()).status == ExitStatus.CHECK_FAILED
    assert program("check", "numbers.yaml").status == ExitStatus.OK


def test_rows_are_added_to_a_golden_file(tmp_path, program, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "numbers.yaml"
    path.write_text(
        "# ours\ngoldens:\n- query: kv deepseek-v3  # the cache\n"
        "  quantity: kv_cache.bytes_per_token\n  expect: 70272\n"
    )
    before = path.read_text()
    found = program.ok("snapshot", "kv deepseek-v3", "params deepseek-v3", "--append", str(path))
    after = path.read_text()
    assert after.startswith(before)
    assert '\n- query: "params deepseek-v3"\n  quantity:' in after
    assert after.count("kv_cache.bytes_per_token\n") == 1  # it was there already
    count = after.count("expect:") - 1
    assert f"{count} rows added" in found.out
    assert program.ok("check", str(path)).out.startswith(f"{count + 1} rows: {count + 1} unchanged")
    again = program.ok("snapshot", "kv deepseek-v3", "--append", str(path))
    assert "0 rows added" in again.out
    assert path.read_text() == after


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("goldens: [{query: kv deepseek-v3, quantity: kv_cache.bytes, expect: 1}]\n", "in blocks"),
        (
            "goldens:\n  - {query: kv x, quantity: a, expect: 1}\ntitle: t\n",
            "at the end of the file",
        ),
        ("goldens: 3\n", "goldens"),
    ],
)
def test_a_file_to_which_nothing_can_be_added_is_left_alone(tmp_path, program, text, words):
    path = tmp_path / "numbers.yaml"
    path.write_text(text)
    found = program("snapshot", "kv deepseek-v3", "--append", str(path))
    assert found.status in (ExitStatus.USAGE, ExitStatus.INVALID_INPUT)
    assert re.search(words, found.err)
    assert path.read_text() == text


def test_a_file_that_is_missing_is_named(program, tmp_path):
    found = program("snapshot", "kv deepseek-v3", "--append", str(tmp_path / "none.yaml"))
    assert found.status == ExitStatus.INVALID_INPUT
    assert "none.yaml" in found.err


def test_a_diff_of_models_leads_with_what_they_cost(program):
    lines = program.ok("diff", "deepseek-v3", "kimi-k2").out.splitlines()
    headline = next(n for n, line in enumerate(lines) if line.startswith(" headline"))
    field = next(n for n, line in enumerate(lines) if line.startswith(" field"))
    assert headline < field
    first = [line.split()[0] for line in lines[headline + 2 : field - 1]]
    assert first[:2] == ["parameters.total", "parameters.active"]
    rows = json.loads(program.ok("diff", "deepseek-v3", "kimi-k2", "--all", "--json").out)["rows"]
    assert not any(row["change"] and abs(row["change"]) < 1e-7 for row in rows)


def test_files_are_found_from_the_folder_of_the_golden_file(moved, program, monkeypatch):
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    found = program("check", "../numbers.yaml", "--quiet")
    assert found.status == ExitStatus.CHECK_FAILED
    assert f"num_experts_per_tok 2 -> 3 at ../model.yaml:{moved}" in found.out
    assert "accept the new values with: dsv3calc check ../numbers.yaml --update" in found.out


def test_the_line_of_a_config_is_told(tmp_path, monkeypatch, program):
    monkeypatch.chdir(tmp_path)
    configs = Path(__file__).parents[1] / "importers" / "configs"
    text = (configs / "mixtral.json").read_text()
    Path("config.json").write_text(text)
    assert run(["snapshot", "params ./config.json", "-o", "numbers.yaml"]) == 0
    Path("config.json").write_text(text.replace('"num_local_experts": 8', '"num_local_experts": 9'))
    number = text[: text.index("num_local_experts")].count("\n") + 1
    out = program("check", "numbers.yaml").out
    assert f"n_routed_experts 8 -> 9 at config.json:{number}" in out
