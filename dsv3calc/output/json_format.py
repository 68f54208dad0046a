"""JSON: the contract for machines. Raw base units, exact integers, nothing rounded."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from dsv3calc.reading.escaping import json_document
from dsv3calc.studies.answer import SCHEMA_VERSION, line_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsv3calc.ledger.line import Line
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer


def as_data(answer: Answer) -> dict[str, Any]:
    """Return an answer as the plain data of the published schema."""
    columns = []
    for column in answer.columns:
        named = column.ledger.named()
        _check_finite(named)
        told: set[str] = set()
        columns.append(
            {
                "id": column.id,
                "title": column.title,
                **({"settings": column.settings} if column.settings else {}),
                "values": {name: line.value for name, line in named.items()},
                "units": {name: line.unit for name, line in named.items()},
                "ledger": {
                    "title": column.ledger.title,
                    "lines": [line_tree(line, told) for line in column.ledger.lines],
                },
            }
        )
    data = {
        "schema_version": SCHEMA_VERSION,
        "command": answer.command,
        "query": answer.query,
        "columns": columns,
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


def _check_finite(named: dict[str, Line]) -> None:
    for name, line in named.items():
        if isinstance(line.value, float) and not isfinite(line.value):
            raise ValueError(f"{name} is {line.value}")


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:  # noqa: ARG001 - one interface
    """Return an answer as one JSON document, on one line: the fast encoder knows no indent."""
    return _line(answer)


def render_many(answers: Iterable[Answer]) -> Iterator[str]:
    """Yield answers as JSON lines: one document on each."""
    return map(_line, answers)


def _line(answer: Answer) -> str:
    return json_document(as_data(answer)) + "\n"
