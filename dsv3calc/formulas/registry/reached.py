"""Which commands reach each formula; ``scripts/generate_docs.py`` writes it from ledgers."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from dsv3calc.formulas.registry.registry import Formula

FILE = Path(__file__).with_name("reached.json")

CODE = "other code"
"""In place of commands: code names the formula, and none of the queries asked reaches it."""
GOLDENS = "golden files"
"""In place of commands: no query reaches the formula; golden files of papers evaluate it."""
NAME = "formula eval"
"""In place of commands: the formula is evaluated by its name only."""


@cache
def _reached_by() -> dict[str, list[str]]:
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, list[str]])


def ways_to(formula: Formula) -> list[str]:
    """Return the commands whose answers use a formula, or what else evaluates it.

    >>> from dsv3calc.formulas.registry.registry import all_formulas
    >>> ways_to(all_formulas()["paged_tokens"])
    ['kv', 'memory', 'which', 'serve']
    """
    return _reached_by().get(formula.name, [NAME])
