"""``dsv3calc reproduce``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


def complete_paper(incomplete: str) -> list[str]:
    """Complete the name of a paper."""
    from dsv3calc.studies.goldens.reproduce import paper_files

    return [name for name in paper_files() if name.startswith(incomplete)]


@with_output
def reproduce(
    papers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PAPER...]",
            help="Papers, such as isca25, v3-report, day6 or deepgemm [all].",
            autocompletion=complete_paper,
        ),
    ] = None,
    only_failing: Annotated[
        bool,
        typer.Option("--only-failing", help="Show only figures whose verdict does not hold."),
    ] = False,
) -> Callable[[], Answer]:
    """Recompute the figures that papers print, and show which can be reproduced.

    Exits 1 if a figure that should follow does not, or if one does that is said not to.

    Examples:

      dsv3calc reproduce isca25

      dsv3calc reproduce day6 deepep --format csv

      dsv3calc reproduce --only-failing
    """

    def answer() -> Answer:
        from dsv3calc.api import answer as ask
        from dsv3calc.studies.goldens.reproduce import answer_reproduce

        return answer_reproduce(papers or (), only_failing=only_failing, ask=ask)

    return answer
