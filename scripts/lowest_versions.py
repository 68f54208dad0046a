"""Print the lowest version that pyproject.toml allows of each dependency, as pip constraints.

Usage: ``python scripts/lowest_versions.py [PYPROJECT] > constraints.txt``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)>=([0-9][0-9.]*)(,[^;]*)?")


def lowest(pyproject: str) -> list[str]:
    """Return ``name==version`` for each dependency in the text of a pyproject.toml.

    Raises
    ------
    ValueError
        If a dependency states no lowest version.
    """
    pins = []
    for requirement in tomllib.loads(pyproject)["project"]["dependencies"]:
        found = REQUIREMENT.fullmatch(requirement.replace(" ", ""))
        if found is None:
            raise ValueError(f"{requirement!r}: write NAME>=VERSION, or NAME>=VERSION,<LIMIT")
        pins.append(f"{found[1]}=={found[2]}")
    return pins


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "pyproject.toml"
    print("\n".join(lowest(path.read_text(encoding="utf-8"))))
