"""Markdown tables, for issues and documents."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.diagnostics import escape
from dsv3calc.output.view import Table, build

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:  # noqa: ARG001 - one interface
    """Return the tables of an answer as Markdown, with what to know below."""
    if answer.explanations:
        from dsv3calc.output import explanation_markdown

        return explanation_markdown.render(answer)
    view = build(answer, exact=options.exact)
    lines = [f"**{_safe(line)}**" for line in view.heading.splitlines()]
    blocks = ["  \n".join(lines)] if lines else []
    blocks += [_table(table) for table in view.full]
    told = [f"- warning: {_safe(text)}" for text in answer.warnings]
    told += [f"- note: {_safe(text)}" for text in answer.notes]
    told += [f"- assumed: {_safe(text)}" for text in answer.assumptions]
    if told:
        blocks.append("\n".join(told))
    return "\n\n".join(blocks) + "\n"


def _table(table: Table) -> str:
    lines = [
        _row(table.headings),
        _row([":--" if i in table.left else "--:" for i, _ in enumerate(table.headings)]),
    ]
    for row in table.rows:
        cells = [*row, *[""] * (len(table.headings) - len(row))]
        if len(row) == 1:
            cells[0] = f"**{row[0]}**"
        indent = len(cells[0]) - len(cells[0].lstrip())
        cells[0] = "&nbsp;" * indent + cells[0].lstrip()
        lines.append(_row(cells))
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(_safe(cell) for cell in cells)} |"


def _safe(text: str) -> str:
    return escape(text).replace("|", "\\|").replace("<", "&lt;")
