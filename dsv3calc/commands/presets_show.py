"""``dsv3calc presets show``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.commands.options import KindOption, NameArgument, PresetPathOption, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def presets_show(
    name: NameArgument, kind: KindOption = None, preset_path: PresetPathOption = None
) -> Callable[[], Answer]:
    """Print a preset as the file has it.

    Examples:

      dsv3calc presets show deepseek-v3

      dsv3calc presets show bf16 --kind precision

      dsv3calc presets show h800 --format csv
    """

    def answer() -> Answer:
        from dsv3calc.studies.presets.catalogue import kind_named, show_preset

        return show_preset(name, kind_named(kind), preset_path)

    return answer
