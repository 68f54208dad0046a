"""What continuous integration runs: checked for its form here, run by itself."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

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
