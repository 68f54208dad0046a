"""``dsv3calc presets validate``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def presets_validate(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Presets of any kind, or config.json.")
    ],
) -> Callable[[], Answer]:
    """Check preset files and report every problem.

    Examples:

      dsv3calc presets validate presets/models/*.yaml
    """

    def answer() -> Answer:
        from dsv3calc.studies.presets.catalogue import validate_files

        return validate_files(files)

    return answer
