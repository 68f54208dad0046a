"""What is told below an answer: all of it, what matters most on a line each, or warnings alone."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer

NOTES = ("all", "short", "none")
"""What --notes takes: how much is told."""

MOST = 5
"""Notes and assumptions that are told in short."""


class Told(msgspec.Struct, frozen=True):
    """What is told of an answer, each with its word; ``hidden`` is the rest, in full."""

    shown: list[tuple[str, str]]
    hidden: list[tuple[str, str]]
    shortened: bool = False

    @property
    def more(self) -> str:
        """Say how many are not shown, and how to see all; nothing where all is shown."""
        what = f"{len(self.hidden)} more" if self.hidden else "in full" if self.shortened else ""
        return f"{what}: --notes all" if what else ""


def told_of(answer: Answer, options: OutputOptions) -> Told:
    """Return what a person is told below an answer.

    In short, what the query left open comes before what presets assume, as it can be given. Why
    an answer fails is told in any case.
    """
    warnings = [("warning", text) for text in answer.warnings]
    rest = [("note", text) for text in answer.notes]
    if options.quiet:
        causes = answer.causes if answer.status else []
        return Told([each for each in [*warnings, *rest] if each[1] in causes], [])
    rest += [("assumed", text) for text in answer.assumptions]
    if options.notes == "none":
        return Told(warnings, [])
    if options.notes == "all":
        return Told([*warnings, *rest], [])
    brief = answer.brief
    telling = [(word, text) for word, text in rest if text not in brief]
    told = {brief[text]: (word, text) for word, text in reversed(rest) if brief.get(text)}
    telling += reversed(told.values())  # two fields may have one assumption
    hidden = [each for each in rest if each not in telling[:MOST]]
    if len(hidden) == 1 and hidden[0] in telling:  # a line for a line
        hidden = []
    shown = [(word, brief.get(text, text)) for word, text in telling if (word, text) not in hidden]
    shortened = any(len(brief.get(text, text)) < len(text) for _, text in telling)
    return Told([*warnings, *shown], hidden, shortened)
