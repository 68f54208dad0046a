"""``dsv3calc check``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import PresetPathOption, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output("junit", "github", "sarif")
def check(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="FILE|DIR...", help="Golden files, or directories of them."),
    ],
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="PATTERN", help="Check rows whose name or query matches."),
    ] = None,
    update: Annotated[
        bool,
        typer.Option("--update", help="Write the new values into the files; still exits 1."),
    ] = False,
    exit_zero: Annotated[
        bool,
        typer.Option(
            "--exit-zero", help="Exit with 0 even if numbers changed; errors still exit with 3."
        ),
    ] = False,
    all_: Annotated[
        bool,
        typer.Option("--all", help="List every changed row, not only the causes."),
    ] = False,
    preset_path: PresetPathOption = None,
) -> Callable[[], Answer]:
    """Check golden files and fail when a number changed.

    Exits 0 if every number is as expected, 1 if one changed, 3 if a row has an error. Formats
    beside table, json, csv and markdown: junit, github (the default where GITHUB_ACTIONS is set)
    and sarif.

    Examples:

      dsv3calc check numbers.yaml

      dsv3calc check goldens/ --only 'kv_cache.*' --format junit -o report.xml

      dsv3calc check numbers.yaml --update
    """

    def answer() -> Answer:
        from functools import partial

        from dsv3calc.api import answer as answer_query
        from dsv3calc.studies.goldens.check import answer_check

        ask = partial(answer_query, preset_path=preset_path)
        return answer_check(
            paths, only=only, update=update, exit_zero=exit_zero, ask=ask, everything=all_
        )

    return answer
