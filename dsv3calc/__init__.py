"""dsv3calc: what a transformer design costs, from closed forms that can be read and checked."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # as typing has it, which is a fifth of a start and collects garbage

if TYPE_CHECKING:
    from typing import Any

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
    """Import a public name from its module when it is first asked for (PEP 562).

    Commands that ask a query are functions: ``dsv3calc.kv("deepseek-v3", context=4096)``.
    """
    from importlib import import_module

    home = _HOMES.get(name)
    if home is not None:
        value = getattr(import_module(f"dsv3calc.{home}"), name)
    elif name in (queries := _queries()):
        value = import_module("dsv3calc.api").function_of(queries[name])
    else:
        raise AttributeError(f"module 'dsv3calc' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, with the functions of the queries."""
    return sorted({*__all__, *_queries()})


def _queries() -> dict[str, Any]:
    """Return the commands that ask a query, by the name of their function."""
    from dsv3calc.queries.table import QUERIES

    return {command.identifier: command for command in QUERIES.values()}
