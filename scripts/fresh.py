"""Write generated files, or with ``--check`` only tell which are stale."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[1]


def stale(files: Mapping[str, str]) -> list[str]:
    """Return the paths, relative to the repository, whose files hold something else."""
    found = []
    for name, text in files.items():
        path = ROOT / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            found.append(name)
    return found


def write(files: Mapping[str, str]) -> int:
    """Write what is stale; with ``--check`` among the arguments return 1 for it instead."""
    changed = stale(files)
    check = "--check" in sys.argv[1:]
    for name in changed:
        print(f"{name}: {'stale' if check else 'written'}")
        if not check:
            path = ROOT / name
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.new")  # replaced at once, never half-written
            beside.write_text(files[name], encoding="utf-8")
            beside.replace(path)
    return 1 if check and changed else 0
