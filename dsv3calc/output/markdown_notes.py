"""Warnings, notes and assumptions of an answer as Markdown."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.notes import told_of
from dsv3calc.reading.escaping import markdown

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer


def told_below(answer: Answer, options: OutputOptions) -> list[str]:
    """Return what a reader must know as blocks: a list, and the rest folded away."""
    told = told_of(answer, options)
    shown, hidden = (_items(each) for each in (told.shown, told.hidden))
    blocks = [shown] if shown else []
    if hidden:
        count = len(told.hidden)
        folded = f"<details><summary>{count} more</summary>\n\n{hidden}\n\n</details>"
        blocks.append(folded)
    return blocks


def _items(told: list[tuple[str, str]]) -> str:
    return "\n".join(f"- {word}: {markdown(text)}" for word, text in told)
