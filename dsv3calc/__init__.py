"""dsv3calc: what a transformer design costs, from closed forms that can be read and checked."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dsv3calc.api import (
        answer,
        load_hardware,
        load_kv_format,
        load_model,
        load_precision,
        query,
    )
    from dsv3calc.errors import Dsv3calcError, Infeasible, InvalidInput, UsageError
    from dsv3calc.formulas.registry.registry import all_formulas
    from dsv3calc.ledger.line import Ledger, Line

_HOMES = {
    "answer": "api",
    "query": "api",
    "load_model": "api",
    "load_hardware": "api",
    "load_precision": "api",
    "load_kv_format": "api",
    "Dsv3calcError": "errors",
    "Infeasible": "errors",
    "InvalidInput": "errors",
    "UsageError": "errors",
    "Ledger": "ledger.line",
    "Line": "ledger.line",
    "all_formulas": "formulas.registry.registry",
}

__all__ = [
    "Dsv3calcError",
    "Infeasible",
    "InvalidInput",
    "Ledger",
    "Line",
    "UsageError",
    "__version__",
    "all_formulas",
    "answer",
    "load_hardware",
    "load_kv_format",
    "load_model",
    "load_precision",
    "query",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'dsv3calc' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(f"dsv3calc.{home}"), name)
    globals()[name] = value
    return value
