"""What continuous integration runs: checked for its form here, run by itself."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from load_script import load_script

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / ".ci" / "run"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="a source distribution has no .ci")


def test_the_script_can_be_run():
    assert os.access(SCRIPT, os.X_OK)
    assert "set -euo pipefail" in SCRIPT.read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_the_script_is_bash():
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)  # noqa: S607 - wherever it is


def test_the_commands_it_takes_from_the_readme_are_there():
    wanted = set(re.findall(r"readme_command (\w+)\)", SCRIPT.read_text(encoding="utf-8")))
    marked = re.findall(
        r"^<!-- ci:(\w+) -->$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert wanted == set(marked)
    assert len(marked) == len(set(marked))


def test_the_options_of_the_script_leave_those_of_the_readme_alone():
    options = re.findall(r'PYTEST_ADDOPTS="([^"]*)"', SCRIPT.read_text(encoding="utf-8"))
    assert len(options) == 1
    assert not {"-n", "--dist", "-k", "-x"} & {
        word.partition("=")[0] for word in options[0].split()
    }


def test_the_script_runs_tests_on_the_lowest_versions():
    text = SCRIPT.read_text(encoding="utf-8")
    assert "scripts/lowest_versions.py" in text
    assert "-c \"$work/lowest.txt\" -e '.[test]'" in text
    lowest = text[text.index("scripts/lowest_versions.py") :]
    for path in re.findall(r"^    (tests/.+)$", lowest, re.MULTILINE)[0].split():
        assert (ROOT / path).is_dir()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("left_out", ["", "the lowest versions"])
def test_a_step_that_is_left_out_is_told_before_the_summary(left_out, tmp_path):
    (tmp_path / "pytest.log").write_text("...\n5 passed in 1s\n")
    text = SCRIPT.read_text(encoding="utf-8")
    start = f"work={tmp_path}; left_out='{left_out}'; step() {{ echo \"== $1\"; }}\n"
    closing = start + text[text.index('step "done') :]
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", closing],  # noqa: S607 - wherever it is
        check=True,
        capture_output=True,
        text=True,
    )
    told = ["== done, with a step left out", f"LEFT OUT: {left_out}"] if left_out else ["== done"]
    assert run.stdout.splitlines() == [*told, "5 passed in 1s"]


PROJECT = """
[project]
dependencies = [
    # why
    "typer>=0.26.8,<0.29",
    "numpy >= 1.26",
]
"""


def test_the_lowest_versions_are_read_from_the_project():
    script = load_script("lowest_versions")
    assert script.lowest(PROJECT) == ["typer==0.26.8", "numpy==1.26"]
    pins = script.lowest((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert {pin.partition("==")[0] for pin in pins} == {
        "typer", "rich", "pyyaml", "msgspec", "sympy", "numpy",
    }  # fmt: skip


@pytest.mark.parametrize("requirement", ["numpy", "numpy<2", "numpy==1.26", "numpy~=1.26"])
def test_a_dependency_without_a_lowest_version_is_refused(requirement):
    script = load_script("lowest_versions")
    with pytest.raises(ValueError, match=f"'{requirement}': write NAME>=VERSION"):
        script.lowest(f'[project]\ndependencies = ["{requirement}"]\n')
