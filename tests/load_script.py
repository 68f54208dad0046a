"""Load a script of ``scripts/`` as a module; a checkout has them, an installed package does not."""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def load_script(name):
    folder = str(ROOT / "scripts")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)
