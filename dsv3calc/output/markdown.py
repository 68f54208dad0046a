"""Markdown tables, for issues and documents."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.markdown_notes import told_below
from dsv3calc.output.view import Table, build
from dsv3calc.reading.escaping import markdown

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:  # noqa: ARG001 - one interface
    """Return the tables of an answer as Markdown, with what to know below."""
    if answer.explanations:
        from dsv3calc.output import explanation_markdown

        return explanation_markdown.render(answer, options)
    view = build(answer, exact=options.exact)
    lines = [f"**{markdown(line)}**" for line in view.heading]
    blocks = ["  \n".join(lines)] if lines else []
    blocks += [_table(table) for table in view.full]
    blocks += told_below(answer, options)
    return "\n\n".join(blocks) + "\n"


def _table(table: Table) -> str:
    lines = [
        _row([markdown(heading) for heading in table.headings]),
        _row([":--" if i in table.left else "--:" for i, _ in enumerate(table.headings)]),
    ]
    for row in table.rows:
        label, *cells = map(markdown, [*row, *[""] * (len(table.headings) - len(row))])
        words = label.lstrip(" ")
        label = "&nbsp;" * (len(label) - len(words)) + words
        lines.append(_row([f"**{label}**" if table.is_section(row) else label, *cells]))
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
