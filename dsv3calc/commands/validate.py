"""``dsv3calc validate``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import PresetPathOption, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def validate(
    file: Annotated[
        str,
        typer.Argument(
            metavar="[FILE]", help="Measurements, one row of JSON a line, or - [the shipped ones]."
        ),
    ] = "shipped",
    area: Annotated[
        list[str] | None,
        typer.Option("--area", metavar="AREA", help="Score rows of this area. Repeatable."),
    ] = None,
    hardware: Annotated[
        list[str] | None,
        typer.Option("--hardware", metavar="NAME", help="Score this device. Repeatable."),
    ] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="Show each time: predicted, measured, error.")
    ] = False,
    fail_over: Annotated[
        float | None,
        typer.Option(
            "--fail-over",
            metavar="ERROR",
            help="Exit 1 if the median error of an area is above this, such as 0.1.",
        ),
    ] = None,
    preset_path: PresetPathOption = None,
) -> Callable[[], Answer]:
    """Predict measured times and score the predictions.

    Times that a fit saw are predicted by the fit of the other half. Rows that no formula can be
    asked for are counted by why, and so are rows that contradict a bound.

    Examples:

      dsv3calc validate

      dsv3calc validate --area kernel_gemm --hardware h100 --rows --format csv

      dsv3calc validate my-rows.jsonl --fail-over 0.15
    """

    def answer() -> Answer:
        from dsv3calc.studies.measurements.validation import answer_validate

        return answer_validate(
            file,
            areas=tuple(area or ()),
            hardware=tuple(hardware or ()),
            rows=rows,
            fail_over=fail_over,
            preset_path=preset_path,
        )

    return answer
