"""``dsv3calc diff``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import KindOption, PresetPathOption, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def diff(
    first: Annotated[
        str,
        typer.Argument(
            metavar="A", help="A saved JSON result, a preset or its path, REV:PATH of git, or -."
        ),
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="What to compare it with.")],
    fail_over: Annotated[
        str | None,
        typer.Option(
            "--fail-over",
            metavar="SHARE",
            help="Exit 1 if a value changed by more than this, such as 1%, or has no percentage.",
        ),
    ] = None,
    all_: Annotated[
        bool,
        typer.Option("--all", help="List all changed values, not only the largest changes."),
    ] = False,
    kind: KindOption = None,
    preset_path: PresetPathOption = None,
) -> Callable[[], Answer]:
    """Compare two results, two presets, or two revisions of one, ranked by effect.

    Of two models the changed fields are listed first, then what the models cost: parameters,
    FLOPs and KV cache. REV:PATH is the file as a revision of git has it: PATH is seen from the
    working directory, /PATH from the top of the repository, and without REV from what is staged.
    Presets that it names in turn, such as its precision, are those of today.

    Examples:

      dsv3calc diff main:my-model.yaml my-model.yaml --fail-over 1%

      dsv3calc diff deepseek-v3 kimi-k2

      dsv3calc kv deepseek-v3 --json | dsv3calc diff saved.json -
    """

    def answer() -> Answer:
        from dsv3calc.studies.presets.diff import answer_diff

        return answer_diff(
            first,
            second,
            fail_over=fail_over,
            everything=all_,
            kind=kind,
            preset_path=preset_path,
        )

    return answer
