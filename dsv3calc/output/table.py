"""Tables for people: drawn by rich at a terminal, plain text of natural width elsewhere."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from dsv3calc.output.view import build

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer

UNSEEN_WIDTH = 10_000
"""Where the output is not a terminal, nothing wraps."""

_WRITTEN = {
    "explain": "dsv3calc.output.explanation",
    "derive": "dsv3calc.output.closed_form",
}
"""Views that are text rather than tables -> the module that writes them."""

_PLAIN_TREE = str.maketrans(
    {"│": "|", "├": "|", "└": "`", "─": "-", "·": "*", "\N{MINUS SIGN}": "-", "⌊": "floor(",
     "⌋": ")", "⌈": "ceil(", "⌉": ")", "≤": "<=", "≥": ">="}
)  # fmt: skip
_PLAIN = str.maketrans({"²": "^2", "µ": "u", "×": "x", "±": "+-", "…": "..."})


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:
    """Return the tables of an answer, with its warnings, notes and assumptions below."""
    if answer.text:
        return answer.text
    ascii_only = options.file is None and not _takes_unicode()
    module = _WRITTEN.get(answer.view)
    if module is not None:
        text = str(import_module(module).render(answer, options, color=color))
        return text.translate(_PLAIN_TREE).translate(_PLAIN) if ascii_only else text
    view = build(answer, exact=options.exact)
    told = [
        *(("warning", text) for text in answer.warnings),
        *(("note", text) for text in answer.notes),
        *(("assumed", text) for text in answer.assumptions),
    ]
    seen = options.file is None and sys.stdout.isatty()
    drawn = _terminal() if seen or color else None
    if drawn is not None:
        width = None if seen else UNSEEN_WIDTH
        lines = drawn(view, told, color=color, width=width, plain=ascii_only)
    else:
        from dsv3calc.output.plain import lines_of

        lines = lines_of(view, told, "-" if ascii_only else "─")
    text = "".join(f"{line}\n" for line in lines)
    return text.translate(_PLAIN) if ascii_only else text


def _terminal() -> Callable[..., list[str]] | None:
    """Return what draws tables with rich, or None where rich is not installed."""
    try:
        from dsv3calc.output.terminal import lines_of
    except ImportError:
        return None
    return lines_of


def _takes_unicode() -> bool:
    """Tell whether standard output can show lines and Greek letters."""
    try:
        "─µ²".encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
