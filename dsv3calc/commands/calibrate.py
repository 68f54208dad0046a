"""``dsv3calc calibrate``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import PresetPathOption, with_output
from dsv3calc.errors import UsageError
from dsv3calc.reading.files import check_writable

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer


@with_output
def calibrate(
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows",
            metavar="FILE",
            help="Measurements, one row of JSON a line; -, or shipped for those of the package "
            "[measure this device].",
        ),
    ] = None,
    area: Annotated[
        list[str] | None,
        typer.Option("--area", metavar="AREA", help="Fit to rows of this area. Repeatable."),
    ] = None,
    hardware: Annotated[
        list[str] | None,
        typer.Option(
            "--hardware",
            metavar="NAME",
            help="With --rows: fit this device, repeatable. Else the preset with the data sheet.",
        ),
    ] = None,
    pooled: Annotated[
        bool,
        typer.Option("--pooled", help="With --rows: fit one block to all devices together."),
    ] = False,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="WHICH", help="What to measure: auto, gpu or cpu [auto]."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", metavar="S", help="How long to measure [120]."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Name of the measured preset."),
    ] = None,
    preset_path: PresetPathOption = None,
    *,
    output_options: OutputOptions,
) -> Callable[[], Answer]:
    """Measure this device, or fit what devices achieve to measured times.

    Without --rows it runs kernels of the present device, a GPU through PyTorch or the CPU through
    NumPy, and gives a preset of hardware; the raw rows are written beside -o. With --rows it prints
    the ``achieved`` block of each device that the rows name. Both fit in the same way, and tell
    the errors on the rows and on those of the half that a fit did not see. Exits 3 if there are
    too few rows to fit, 4 if there is no device to measure.

    Examples:

      dsv3calc calibrate -o my-device.yaml --seconds 60

      dsv3calc calibrate -o my-card.yaml --hardware h100

      dsv3calc calibrate --rows shipped --hardware h100 --area collective_other

      dsv3calc calibrate --rows my-rows.jsonl --hardware mine.yaml -o block.yaml
    """
    measuring = {"--device": device, "--seconds": seconds, "--name": name}
    given = next((flag for flag, value in measuring.items() if value is not None), "")
    if rows is not None and given:
        raise UsageError(f"{given} is for measuring: --rows fits to what was measured", "give one")
    if rows is None and pooled:
        raise UsageError("--pooled is for --rows: one device is measured", "leave it out")
    if rows is None and len(hardware or ()) > 1:
        raise UsageError("--hardware: one device is measured", "name its data sheet alone")

    def fitted() -> Answer:
        from dsv3calc.studies.measurements.calibration import answer_calibrate

        return answer_calibrate(
            rows or "",
            areas=tuple(area or ()),
            hardware=tuple(hardware or ()),
            pooled=pooled,
            preset_path=preset_path,
        )

    def measured() -> Answer:
        from dsv3calc.studies.measuring.answer import SECONDS, answer_measured
        from dsv3calc.studies.measuring.report import ROWS_ENDING

        beside = ""
        if output_options.file is not None and output_options.format == "table":
            beside = os.path.splitext(output_options.file)[0] + ROWS_ENDING
            check_writable(beside, force=output_options.force)
        return answer_measured(
            device=device or "auto",
            seconds=SECONDS if seconds is None else seconds,
            areas=tuple(area or ()),
            hardware=hardware[0] if hardware else None,
            name=name,
            preset_path=preset_path,
            rows_file=beside,
        )

    return measured if rows is None else fitted
