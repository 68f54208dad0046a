"""Colours for a person at a terminal, by rich."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsv3calc.output.layout import Line

STYLES = {
    "heading": "bold",
    "section": "bold",
    "warning": "yellow",
    "note": "cyan",
    "assumed": "dim",
    "more": "dim",
}


def paint(lines: Iterable[Line]) -> str:
    """Return the lines as text with colours."""
    console = Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system="standard",
        no_color=False,
        highlight=False,
        emoji=False,
        markup=False,
    )
    painted = Text()
    for line in lines:
        text = Text(line.text)
        if line.style:
            text.stylize(STYLES[line.style], 0, line.styled)
        painted.append_text(text).append("\n")
    with console.capture() as captured:
        console.print(painted, soft_wrap=True, end="")
    return captured.get()
