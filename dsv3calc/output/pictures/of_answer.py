"""The picture of an answer, by its command: made once, drawn as SVG or with characters."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dsv3calc.queries.table import PICTURES

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

_DRAWN = {
    "Chart": {"svg": "svg", "characters": "characters"},
    "HeatMap": {"svg": "heat_map_svg"},
    "Lanes": {"svg": "lanes_svg", "characters": "lanes_characters"},
}
"""Kind of a picture -> the module that draws it, by the way in which it is drawn."""


def picture_of(answer: Answer) -> Any:
    """Return the picture of an answer whose command has one."""
    return _module(PICTURES[answer.command]).chart_of(answer)


def as_svg(picture: Any) -> str:
    """Draw a picture as the text of an SVG file."""
    text: str = _module(_DRAWN[type(picture).__name__]["svg"]).drawn(picture)
    return text


def as_characters(picture: Any, width: int) -> list[str]:
    """Draw a picture with characters, as lines no wider than ``width`` where that is possible."""
    lines: list[str] = _module(_DRAWN[type(picture).__name__]["characters"]).drawn(picture, width)
    return lines


def _module(name: str) -> Any:
    return import_module(f"dsv3calc.output.pictures.{name}")
