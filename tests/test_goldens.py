"""The project's own goldens: the papers' figures, and a snapshot of every shipped model."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dsv3calc.__main__ import run
from dsv3calc.catalogue.search_path import listing
from dsv3calc.exit_status import ExitStatus
from dsv3calc.studies.goldens.verdict import load_goldens

ROOT = Path(__file__).parents[1]
GOLDENS = ROOT / "presets" / "goldens"


def test_all_are_kept(capsys):
    status = run(["check", str(GOLDENS), "--json"])
    assert status == ExitStatus.OK, capsys.readouterr().out


@pytest.mark.parametrize("path", sorted((GOLDENS / "papers").iterdir()), ids=lambda path: path.name)
def test_papers_are_immutable_and_cited(path):
    _, file, _ = load_goldens(str(path))
    assert file.immutable
    assert file.title
    for row in file.goldens:
        assert row.source, row.quantity
        assert row.unit, row.quantity
        assert row.tolerance is not None or isinstance(row.expect, str), row.quantity
        assert not row.made_from


def test_every_model_has_a_snapshot():
    names = {path.stem for path in (GOLDENS / "self").iterdir()}
    of_layouts = {"traffic", "memory", "serving"}
    assert of_layouts <= names
    names -= of_layouts
    assert names == set(listing("model")), "for a new model: scripts/snapshot_self.sh"
    for name in names:
        _, file, _ = load_goldens(str(GOLDENS / "self" / f"{name}.yaml"))
        assert len(file.goldens) == 7
        assert all(row.made_from for row in file.goldens)


def test_the_script_writes_what_is_kept(tmp_path, monkeypatch):
    """With one model on the list: the script runs, and its file is the one in the repository."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("the script is for bash")
    program = shutil.which("dsv3calc", path=str(Path(sys.executable).parent))
    assert program is not None, "the package is installed beside this interpreter"
    stub = tmp_path / "dsv3calc"
    stub.write_text(
        f'#!/bin/sh\n[ "$1" != presets ] || exec echo mistral-7b\nexec "{program}" "$@"\n'
    )
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    subprocess.run([bash, str(ROOT / "scripts/snapshot_self.sh"), str(tmp_path)], check=True)
    written, kept = (
        [(row["query"], row["quantity"], row["expect"], row["unit"]) for row in file["goldens"]]
        for file in (
            yaml.safe_load((folder / "mistral-7b.yaml").read_text())
            for folder in (tmp_path, GOLDENS / "self")
        )
    )
    assert written == kept
