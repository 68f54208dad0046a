"""``dsv3calc import``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import IgnoreKeyOption, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def import_(
    config: Annotated[
        str,
        typer.Argument(metavar="CONFIG", help="A config.json, a folder that holds one, or -."),
    ],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the preset.")
    ] = None,
    ignore_key: IgnoreKeyOption = None,
) -> Callable[[], Answer]:
    """Turn a Hugging Face config.json into a preset.

    Every key is mapped, ignored by name because it changes no count, or refused.

    Examples:

      dsv3calc import config.json -o my-model.yaml

      dsv3calc import ./my-model/ --name my-model --ignore-key my_extra_key
    """

    def answer() -> Answer:
        from dsv3calc.studies.presets.importing import import_preset

        return import_preset(config, name, tuple(ignore_key or ()))

    return answer
