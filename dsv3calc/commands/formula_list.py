"""``dsv3calc formula list``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


def _subjects(incomplete: str) -> list[str]:
    from dsv3calc.formulas.registry.registry import SUBJECTS

    return [subject for subject in SUBJECTS if subject.startswith(incomplete)]


@with_output
def formula_list(
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="[SUBJECT]",
            help="attention, kv_cache, memory, network and so on [all].",
            autocompletion=_subjects,
        ),
    ] = None,
) -> Callable[[], Answer]:
    """List the formulas, by subject.

    Examples:

      dsv3calc formula list

      dsv3calc formula list kv_cache
    """

    def listed() -> Answer:
        from dsv3calc.studies.formulas.show import list_formulas

        return list_formulas(subject)

    return listed
