"""List which ``config.json`` files of folders can be imported, and why others are refused.

Usage: ``python scripts/list_configs.py FOLDER...``: one line for each ``*.json``, accepted files
with their parameters, refused ones with their problems; then how many there are of each.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

import dsv3calc
from dsv3calc.errors import Dsv3calcError, InvalidInput


def verdict(path: Path) -> tuple[bool, str]:
    """Return whether a file is accepted, and its parameters or its problems in words."""
    try:
        parameters = dsv3calc.query(f"params {path}")["parameters.total"]
    except InvalidInput as error:
        return False, "; ".join(dict.fromkeys(problem.what for problem in error.problems))
    except Dsv3calcError as error:
        return False, str(error)
    return True, f"{parameters:,}"


def main(folders: list[str]) -> None:
    """Print the list."""
    paths = sorted(path for folder in folders for path in Path(folder).rglob("*.json"))
    counts = {True: 0, False: 0}
    for path in paths:
        accepted, words = verdict(path)
        counts[accepted] += 1
        print(f"{'accepted' if accepted else 'refused '}  {path.stem}: {words}")
    print(f"{counts[True]} accepted, {counts[False]} refused")


if __name__ == "__main__":
    main(sys.argv[1:])
