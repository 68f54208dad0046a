"""``dsv3calc presets new``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


def _kinds(incomplete: str) -> list[str]:
    from dsv3calc.studies.presets.templates import TEMPLATES

    return [kind for kind in TEMPLATES if kind.startswith(incomplete)]


@with_output
def presets_new(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="hardware, layout or setup.", autocompletion=_kinds),
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
) -> Callable[[], Answer]:
    """Print a file to start a preset of one's own from.

    A device, a layout or a set-up, complete but for the date of its source.

    Examples:

      dsv3calc presets new hardware my-gpu

      dsv3calc presets new layout my-cluster -o my-cluster.yaml --force
    """

    def answer() -> Answer:
        from dsv3calc.studies.presets.templates import new_preset

        return new_preset(kind, name)

    return answer
