"""``dsv3calc presets list``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import KindArgument, PresetPathOption, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def presets_list(
    kind: KindArgument = None,
    names: Annotated[bool, typer.Option("--names", help="Print only the names.")] = False,
    preset_path: PresetPathOption = None,
) -> Callable[[], Answer]:
    """List the presets that can be named; models and devices with their figures.

    Examples:

      dsv3calc presets list models

      dsv3calc presets list hardware --names
    """

    def answer() -> Answer:
        from dsv3calc.studies.presets.catalogue import kind_named, list_presets

        found = list_presets(kind_named(kind), preset_path, figures=not names)
        if names:
            found.text = "".join(f"{row['name']}\n" for row in found.rows)
        return found

    return answer
