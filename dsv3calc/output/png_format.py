"""The picture of an answer as a PNG file, by the package resvg_py (the extra ``plot``)."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.output.pictures.of_answer import as_svg, picture_of
from dsv3calc.output.pictures.svg import document, text_at

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer

ZOOM = 2
"""Pixels to a unit of the SVG: twice, for screens and print of fine resolution."""


def render(answer: Answer, options: OutputOptions, *, color: bool) -> bytes:  # noqa: ARG001 - one interface
    """Return the picture of an answer."""
    return as_png(as_svg(picture_of(answer)))


def as_png(svg: str) -> bytes:
    """Turn the text of an SVG file into a PNG file.

    Raises
    ------
    UsageError
        If the package for it is missing, or the system has no font for the texts.
    """
    try:
        import resvg_py  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise UsageError(
            "PNG needs the package resvg_py",
            "python -m pip install resvg_py, or take --format svg, which needs nothing",
        ) from None

    def drawn(text: str) -> bytes:
        made: Any = resvg_py.svg_to_bytes(svg_string=text, zoom=ZOOM)
        return bytes(made)

    size = (40, 40)
    if drawn(document("", [], size, [text_at(0, 20, "x", "start")])) == drawn(
        document("", [], size, [])
    ):
        raise UsageError(
            "PNG needs a font, and none of those that pictures name is installed",
            "install DejaVu or Liberation fonts, or take --format svg",
        )
    return drawn(svg)
