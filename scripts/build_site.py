"""Build the site into a folder: the page that computes under ``try/``, and the documentation.

    python scripts/build_site.py OUT [--pyodide DIR] [--assets DIR] [--only try|docs]

The first DIR has the files of the npm package pyodide and msgspec's wheel for it, the second the
npm packages katex and iframe-worker; without them they are fetched with npm and pip.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import site_docs
import site_page


def main() -> None:
    """Build what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--pyodide", type=Path, metavar="DIR", help="what to build the page from")
    parser.add_argument("--assets", type=Path, metavar="DIR", help="what the docs need beside them")
    parser.add_argument("--only", choices=("try", "docs"), help="build one of the two")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.only != "docs":
        print("\n".join(site_page.build(given.out / "try", given.pyodide)))
    if given.only != "try":
        print("\n".join(site_docs.build(given.out, given.assets)))


if __name__ == "__main__":
    main()
