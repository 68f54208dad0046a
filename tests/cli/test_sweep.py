"""``dsv3calc sweep``."""

import json

import pytest

STUDY = """
name: cache
title: The cache of MLA
queries: [kv deepseek-v3]
axes:
  - {name: batch, option: batch, values: [1, 2]}
outputs: {bytes: kv_cache.bytes}
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


def test_a_sweep_writes_a_file_and_says_so(program, study):
    found = program.ok("sweep", "study.yaml", "-o", "out.json")
    assert "out.json" in found.out
    rows = json.loads((study / "out.json").read_text())
    assert [row["batch"] for row in rows] == [1, 2]
    assert rows[1]["bytes"] == 2 * rows[0]["bytes"]
    assert not (study / "out.json.partial").exists()


def test_a_file_that_exists_is_kept(program, study):
    (study / "out.csv").write_text("mine")
    assert "exists" in program.refused(2, "sweep", "study.yaml", "-o", "out.csv").err
    assert (study / "out.csv").read_text() == "mine"
    program.ok("sweep", "study.yaml", "-o", "out.csv", "--force")
    assert (study / "out.csv").read_text().startswith("batch,bytes,refused")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("study.yaml",), 2, "-o out.csv"),
        (("study.yaml", "-o", "out.x", "--format", "markdown"), 2, "sweep writes"),
        (("none.yaml", "-o", "out.csv"), 3, "none.yaml"),
        (("study.yaml", "-o", "nowhere/out.csv"), 74, "cannot be written"),
    ],
)
def test_what_is_refused(program, study, arguments, status, words):
    assert words in program.refused(status, "sweep", *arguments).err
    assert [path.name for path in study.iterdir()] == ["study.yaml"]
