"""JSON: the contract for machines. Raw base units, exact integers, nothing rounded.

``values`` are the public lines and those at the top of a ledger. ``--ledger`` adds every other
computed line, and the tree that shows how they follow from each other.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from dsv3calc.reading.escaping import json_document
from dsv3calc.studies.answer import SCHEMA_VERSION, line_tree
from dsv3calc.studies.public_lines.table import public_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsv3calc.ledger.line import Ledger, Line
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer, Column


def as_data(answer: Answer, *, ledger: bool = False) -> dict[str, Any]:
    """Return an answer as the plain data of the published schema; ``ledger`` adds all lines."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "command": answer.command,
        "query": answer.query,
        "columns": [_column(column, ledger=ledger) for column in answer.columns],
        "rows": answer.rows,
        "assumptions": answer.assumptions,
        "warnings": answer.warnings,
        "notes": answer.notes,
        "sources": answer.sources,
    }
    if answer.explanations:
        data["explanations"] = [
            {"column": each.column, "title": each.title, "line": each.line.as_data()}
            for each in answer.explanations
        ]
    return data


def _column(column: Column, *, ledger: bool) -> dict[str, Any]:
    named = column.ledger.named()
    main = {line.name for line in column.ledger.main()} & named.keys()
    if not ledger:
        named = _public(named, {line.name for line in column.ledger.lines})
    _check_finite(named)
    data = {
        "id": column.id,
        "title": column.title,
        **({"settings": column.settings} if column.settings else {}),
        "values": {name: line.value for name, line in named.items()},
        "units": {name: line.unit for name, line in named.items()},
        "main": [name for name in named if name in main],
    }
    if ledger:
        data["ledger"] = _tree(column.ledger)
    return data


def _public(named: dict[str, Line], top: set[str]) -> dict[str, Line]:
    """Return the lines that users may rely on: those declared, and the answer itself."""
    return {name: line for name, line in named.items() if name in top or public_line(name)}


def _tree(ledger: Ledger) -> dict[str, Any]:
    told: set[str] = set()
    return {"title": ledger.title, "lines": [line_tree(line, told) for line in ledger.lines]}


def _check_finite(named: dict[str, Line]) -> None:
    for name, line in named.items():
        if isinstance(line.value, float) and not isfinite(line.value):
            raise ValueError(f"{name} is {line.value}")


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:  # noqa: ARG001 - one interface
    """Return an answer as one JSON document, on one line: the fast encoder knows no indent."""
    return json_document(as_data(answer, ledger=options.ledger)) + "\n"


def render_many(answers: Iterable[Answer], options: OutputOptions) -> Iterator[str]:
    """Yield answers as JSON lines: one document on each."""
    return (render(answer, options, color=False) for answer in answers)
