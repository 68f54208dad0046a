"""Warnings, notes and assumptions of an answer as Markdown."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.reading.escaping import markdown

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer


def told_below(answer: Answer) -> list[str]:
    """Return what a reader must know, as the items of a list."""
    told = (("warning", answer.warnings), ("note", answer.notes), ("assumed", answer.assumptions))
    return [f"- {word}: {markdown(text)}" for word, texts in told for text in texts]
