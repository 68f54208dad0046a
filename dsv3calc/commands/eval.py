"""``dsv3calc eval``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import PresetPathOption, with_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsv3calc.studies.answer import Answer


@with_output
def eval(  # noqa: A001 - named as the command is
    queries: Annotated[
        str,
        typer.Argument(metavar="QUERIES", help="A file with one query on each line, or -."),
    ],
    preset_path: PresetPathOption = None,
) -> Callable[[], Iterator[Answer]]:
    """Answer many queries in one process, one line each.

    A line is a query as on the command line, without output options, or a JSON mapping of command
    and its options, as in golden files; # starts a comment. JSON
    output is one document on each line. Answers are written as they come, in constant memory. Wrong
    lines are reported at the end, with exit status 3; -o FILE is then not written. After 50 wrong
    lines in a row the rest is not read.

    Examples:

      dsv3calc eval queries.txt --json

      echo 'params deepseek-v3' | dsv3calc eval -
    """

    def answers() -> Iterator[Answer]:
        from functools import partial

        from dsv3calc.api import answer
        from dsv3calc.studies.batch import answer_batch

        return answer_batch(queries, ask=partial(answer, preset_path=preset_path))

    return answers
