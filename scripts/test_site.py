"""Build the page and test it in Chromium: ``tests/site/in_chromium.py``.

    python scripts/test_site.py [--pyodide DIR] [--site DIR] [--install] [PYTEST OPTIONS]

``--site`` takes a site that is built, ``--install`` brings Chromium with apt-get if it is missing.
CHROMIUM names another one. Exit status 77: the tests could not be run, the last line says why.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "site"
LEFT_OUT = 77


def main() -> int:
    """Build, then test; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pyodide", metavar="DIR", help="what to build the page from")
    parser.add_argument("--site", metavar="DIR", help="a site that is built")
    parser.add_argument("--install", action="store_true", help="install Chromium if it is missing")
    given, options = parser.parse_known_args()
    sys.path.insert(0, str(TESTS))
    from browser import find_chromium

    if find_chromium() is None and given.install:
        install_chromium()
    if find_chromium() is None:
        print("there is no Chromium, and it was not installed")
        return LEFT_OUT
    with tempfile.TemporaryDirectory() as folder:
        site = given.site or folder
        if given.site is None:
            build = [sys.executable, str(ROOT / "scripts" / "build_site.py"), site, "--only", "try"]
            build += ["--pyodide", given.pyodide] if given.pyodide else []
            built = subprocess.run(build, check=False, capture_output=True, text=True)
            print(built.stdout, built.stderr, sep="")
            if built.returncode == LEFT_OUT:
                print(built.stderr.strip().splitlines()[-1])
            if built.returncode:
                return built.returncode
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-n0", str(TESTS / "in_chromium.py"), *options],
            env=os.environ | {"DSV3CALC_SITE": site, "PYTHONPATH": str(TESTS)},
            cwd=ROOT,
            check=False,
        ).returncode


def install_chromium() -> None:
    """Install Chromium from the distribution's packages, where that is allowed."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        print("Chromium is installed with apt-get by root alone")
        return
    install = [apt, "install", "-y", "-qq", "--no-install-recommends", "chromium"]
    for command in ([apt, "update", "-qq"], install):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            print(done.stderr)


if __name__ == "__main__":
    sys.exit(main())
