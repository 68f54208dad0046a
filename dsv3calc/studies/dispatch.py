"""From a query to its answer: one table, each study imported when it is asked."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from dsv3calc.errors import missing_package

if TYPE_CHECKING:
    from dsv3calc.queries.base import Query
    from dsv3calc.studies.answer import Answer

STUDIES = {
    "params": ("dsv3calc.studies.params", "answer_params"),
    "flops": ("dsv3calc.studies.flops", "answer_flops"),
    "kv": ("dsv3calc.studies.kv", "answer_kv"),
    "memory": ("dsv3calc.studies.memory.answer", "answer_memory"),
    "traffic": ("dsv3calc.studies.traffic.answer", "answer_traffic"),
    "limits ep": ("dsv3calc.studies.traffic.limits_ep", "answer_limits_ep"),
    "network": ("dsv3calc.studies.network.answer", "answer_network"),
    "formula eval": ("dsv3calc.studies.formulas.evaluate", "answer_formula_eval"),
    "compare": ("dsv3calc.studies.compare.answer", "answer_compare"),
}
"""Command of a query -> the function that answers it."""


def answer(query: Query) -> Answer:
    """Answer a query.

    Raises
    ------
    Dsv3calcError
        As the query, a preset or another file is wrong, or a package it needs is not installed.
    """
    module, function = STUDIES[query.command]
    try:
        found: Answer = getattr(import_module(module), function)(query)
    except ImportError as error:
        missing = missing_package(error)
        if missing is None:
            raise
        raise missing from error
    return found
