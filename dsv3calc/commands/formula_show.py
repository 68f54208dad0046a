"""``dsv3calc formula show``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


def _names(incomplete: str) -> list[str]:
    from dsv3calc.formulas.registry.registry import all_formulas

    return [name for name in all_formulas() if name.startswith(incomplete)]


@with_output
def formula_show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Formula, such as cache_bytes.", autocompletion=_names),
    ],
    latex: Annotated[bool, typer.Option("--latex", help="Print the equation in LaTeX.")] = False,
) -> Callable[[], Answer]:
    """Show a formula: equation, symbols, units, when it holds, an example, its source.

    Examples:

      dsv3calc formula show cache_bytes

      dsv3calc formula show stage_start --latex
    """

    def shown() -> Answer:
        from dsv3calc.studies.formulas.show import show_formula

        return show_formula(name, latex=latex)

    return shown
