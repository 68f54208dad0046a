"""Every formula by name: what the ledger, ``formula list`` and the reference pages read.

``@formula`` leaves the function as it is (calling it costs nothing extra) and notes its signature.
Units come from the annotations, domains from the names and the decorator, everything in words from
the docstring, whose form is fixed: one sentence; ``.. math::`` with the equation; ``Parameters``
and ``Returns``; ``Notes`` with the assumptions and the range of validity; ``Examples``; ``Source``.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from dsv3calc.formulas.registry.units import UNITS

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function", bound=Callable[..., Any])


NONNEGATIVE = ("result >= 0",)
SHARE = ("result >= 0", "result <= 1")
"""What a result may be: by default it is not negative; a share or a probability is at most 1."""


class Formula:
    """A registered formula: the function, the names of its arguments, and its units."""

    __slots__ = (
        "argument_units",
        "domain",
        "function",
        "name",
        "parameters",
        "result",
        "subject",
        "symbol",
        "unit",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        symbol: str,
        domain: tuple[str, ...] = (),
        result: tuple[str, ...] = NONNEGATIVE,
    ) -> None:
        code = function.__code__
        units = function.__annotations__
        self.function = function
        self.name = function.__name__
        self.subject = function.__module__.rpartition(".")[2]
        self.symbol = symbol
        self.parameters: tuple[str, ...] = code.co_varnames[: code.co_argcount]
        self.argument_units = tuple(UNITS[units[name]] for name in self.parameters)
        self.unit = UNITS[units["return"]]
        self.domain = domain
        self.result = result

    def __repr__(self) -> str:
        return f"<formula {self.subject}.{self.name}>"


FORMULAS: dict[str, Formula] = {}
"""Formulas of the modules imported so far; :func:`all_formulas` imports the rest."""

SUBJECTS = (
    "algorithms",
    "answers",
    "architecture",
    "attention",
    "bubbles",
    "cached_tokens",
    "collectives",
    "compressed_attention",
    "compression",
    "decoding",
    "deployment",
    "dragonfly",
    "dualpipe",
    "economics",
    "expert_times",
    "experts",
    "fabric",
    "failures",
    "fat_tree",
    "flash_mla",
    "flops",
    "host",
    "in_network",
    "interleaving",
    "kernel_times",
    "kernels",
    "kv_cache",
    "link_times",
    "loss",
    "megatron",
    "memory",
    "mixers",
    "mtp",
    "network",
    "number_formats",
    "optimizers",
    "pipeline",
    "precision",
    "rank_groups",
    "roofline",
    "routing",
    "served_batches",
    "server",
    "serving_costs",
    "serving_times",
    "slim_fly",
    "stages",
    "traffic",
    "transfers",
    "utilisation",
    "windowed_attention",
)
"""The modules of ``dsv3calc.formulas``."""


def formula(
    symbol: str, *domain: str, result: tuple[str, ...] = NONNEGATIVE
) -> Callable[[Function], Function]:
    """Register a formula whose result is written ``symbol`` in LaTeX.

    ``domain`` adds conditions to those of its arguments' names, and ``result`` says what the result
    is where all of them hold (see :mod:`dsv3calc.formulas.registry.domains`).
    """

    def register(function: Function) -> Function:
        entry = Formula(function, symbol, domain, result)
        if entry.name in FORMULAS:
            raise ValueError(f"two formulas are called {entry.name}")
        FORMULAS[entry.name] = entry
        return function

    return register


def all_formulas() -> dict[str, Formula]:
    """Return every formula by name, importing each subject."""
    from importlib import import_module

    for subject in SUBJECTS:
        import_module(f"dsv3calc.formulas.{subject}")
    return dict(sorted(FORMULAS.items()))
