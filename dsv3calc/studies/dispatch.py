"""From a query to its answer: each study is imported when it is asked."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from dsv3calc.errors import missing_package
from dsv3calc.queries.table import COMMANDS

if TYPE_CHECKING:
    from dsv3calc.queries.base import Query
    from dsv3calc.studies.answer import Answer


def answer(query: Query) -> Answer:
    """Answer a query.

    Raises
    ------
    Dsv3calcError
        As the query, a preset or another file is wrong, or a package it needs is not installed.
    """
    found = numbers(query)
    for remark in found.remarks:
        remark()
    if found.placed is not None:
        from dsv3calc.studies.layout.idle import tell_idle

        tell_idle(found, query)
    return found


def numbers(query: Query) -> Answer:
    """Answer a query whose remarks nobody reads: the same numbers, with fewer warnings.

    Raises
    ------
    Dsv3calcError
        As those of an answer.
    """
    module, _, function = COMMANDS[query.command].answer.partition(":")
    try:
        found: Answer = getattr(import_module(f"dsv3calc.studies.{module}"), function)(query)
    except ImportError as error:
        missing = missing_package(error)
        if missing is None:
            raise
        raise missing from error
    return found
