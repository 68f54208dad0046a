"""``dsv3calc calibrate``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import PresetPathOption, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def calibrate(
    rows: Annotated[
        str,
        typer.Option(
            "--rows",
            metavar="FILE",
            help="Measurements, one row of JSON a line; -, or shipped for those of the package.",
        ),
    ],
    area: Annotated[
        list[str] | None,
        typer.Option("--area", metavar="AREA", help="Fit to rows of this area. Repeatable."),
    ] = None,
    hardware: Annotated[
        list[str] | None,
        typer.Option("--hardware", metavar="NAME", help="Fit this device. Repeatable."),
    ] = None,
    pooled: Annotated[
        bool,
        typer.Option("--pooled", help="Fit one block to all devices together."),
    ] = False,
    preset_path: PresetPathOption = None,
) -> Callable[[], Answer]:
    """Fit what devices achieve to measured times.

    Prints the ``achieved`` block of each device that the rows name, as a preset of hardware holds
    it, with its errors on the rows and on those of the half that a fit did not see. Exits 3 if
    there are too few rows to fit.

    Examples:

      dsv3calc calibrate --rows shipped --hardware h100 --area collective_other

      dsv3calc calibrate --rows my-rows.jsonl --hardware my-device.yaml -o block.yaml
    """

    def answer() -> Answer:
        from dsv3calc.studies.measurements.calibration import answer_calibrate

        return answer_calibrate(
            rows,
            areas=tuple(area or ()),
            hardware=tuple(hardware or ()),
            pooled=pooled,
            preset_path=preset_path,
        )

    return answer
