"""The picture of an answer as an SVG file."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.pictures.of_answer import as_svg, picture_of

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:  # noqa: ARG001 - one interface
    """Return the picture of an answer."""
    return as_svg(picture_of(answer))
