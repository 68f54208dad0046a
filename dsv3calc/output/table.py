"""Tables for people: as wide as the terminal, with colours; of natural width elsewhere."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from dsv3calc.output.layout import PAGE, Line, in_ascii, lines_of, terminal_width
from dsv3calc.output.notes import told_of
from dsv3calc.output.view import build
from dsv3calc.reading.escaping import escape, escape_lines, inert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer

_WRITTEN = {
    "explain": "dsv3calc.output.explanation",
    "derive": "dsv3calc.output.closed_form",
}
"""Views that are text rather than tables -> the module that writes them."""


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:
    """Return the tables of an answer, with its warnings, notes and assumptions below."""
    ascii_only = options.file is None and not _takes_unicode()
    if answer.text:
        text = in_ascii(answer.text) if ascii_only else answer.text
        return escape_lines(text) if options.file is None else text
    module = _WRITTEN.get(answer.view)
    if module is not None:
        text = str(import_module(module).render(answer, options, color=color))
        return inert(in_ascii(text) if ascii_only else text)
    view = build(answer, exact=options.exact)
    told = told_of(answer, options)
    below = [*told.shown, *([("", told.more)] if told.more else [])]
    lines = list(
        lines_of(
            view,
            below,
            width=terminal_width(options),
            ascii_only=ascii_only,
            in_brief=options.notes == "short",
        )
    )
    if options.plot:
        lines += _picture(answer, options, ascii_only=ascii_only)
    paint = _painter() if color else None
    if paint is not None:
        return inert(paint(lines))
    return inert("".join(f"{line.text}\n" for line in lines))


def _picture(answer: Answer, options: OutputOptions, *, ascii_only: bool) -> Iterator[Line]:
    """Yield the picture of an answer, drawn with characters, after an empty line."""
    from dsv3calc.output.pictures.of_answer import as_characters, picture_of

    for text in ("", *as_characters(picture_of(answer), terminal_width(options) or PAGE)):
        yield Line(escape(in_ascii(text) if ascii_only else text))


def _painter() -> Callable[..., str] | None:
    """Return what colours lines with rich, or None where rich is not installed."""
    try:
        from dsv3calc.output.terminal import paint
    except ImportError:
        return None
    return paint


def _takes_unicode() -> bool:
    """Tell whether standard output can show lines and Greek letters."""
    try:
        "─µ²".encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
