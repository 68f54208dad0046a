"""``dsv3calc presets where``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.commands.options import KindOption, NameArgument, PresetPathOption, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def presets_where(
    name: NameArgument, kind: KindOption = None, preset_path: PresetPathOption = None
) -> Callable[[], Answer]:
    """Show the file a name resolves to, and the ones it shadows.

    Presets are looked for in --preset-path, DSV3CALC_PATH, the project's presets/ (the nearest one,
    from the working directory up),
    the user's configuration directory, and among the shipped ones. The first wins.

    Examples:

      dsv3calc presets where deepseek-v3
    """

    def answer() -> Answer:
        from dsv3calc.studies.presets.catalogue import kind_named, where_preset

        return where_preset(name, kind_named(kind), preset_path)

    return answer
