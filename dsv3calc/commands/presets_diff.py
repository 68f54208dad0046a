"""``dsv3calc presets diff``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import KindOption, NameArgument, PresetPathOption, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def presets_diff(
    name: NameArgument,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The preset to compare with.")],
    kind: KindOption = None,
    preset_path: PresetPathOption = None,
) -> Callable[[], Answer]:
    """Compare two presets field by field.

    Examples:

      dsv3calc presets diff deepseek-v3 kimi-k2

      dsv3calc presets diff h800 h100
    """

    def answer() -> Answer:
        from dsv3calc.studies.presets.catalogue import diff_presets, kind_named

        return diff_presets(name, other, kind_named(kind), preset_path)

    return answer
