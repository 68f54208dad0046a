"""``dsv3calc sweep``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import PresetPathOption, amount, with_output
from dsv3calc.commands.request import PICTURE_FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer


def _ask(text: str, preset_path: str | None) -> Answer:
    """Answer a query in words; nobody reads the remarks of a point."""
    from dsv3calc.cli import parse_query
    from dsv3calc.studies.dispatch import numbers

    return numbers(parse_query(text).looking_in(preset_path))


@with_output("parquet", *PICTURE_FORMATS, writes=True)
def sweep(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A file with a study.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the rows in FILE.partial.")
    ] = False,
    yes_points: Annotated[
        int | None,
        typer.Option(
            "--yes-points",
            metavar="N",
            parser=amount("--yes-points", "count"),
            help="Confirm the number of points if there are more than 10^8.",
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Ask on the workers of this Dask scheduler, such as tcp://10.0.0.1:8786.",
        ),
    ] = None,
    preset_path: PresetPathOption = None,
    *,
    output_options: OutputOptions,
) -> Callable[[], Answer]:
    """Ask queries at every point of a study, and write a row for each.

    A study has queries, axes (options of the queries, or fields as in --set: listed, gridded,
    log-spaced or zipped), conditions and outputs. Rows are kept in FILE.partial/ as soon as they
    are there: whatever ends the program, --resume goes on. A point that cannot be answered has its
    reason in the column refused. A file named .svg or .png is a picture: the front of two outputs,
    or the first output over one or two axes.

    Examples:

      dsv3calc sweep study.yaml -o front.csv

      dsv3calc sweep study.yaml -o out.json --resume

      dsv3calc sweep study.yaml -o map.svg
    """

    def run() -> Answer:
        from functools import partial

        from dsv3calc.cli import parse_query
        from dsv3calc.errors import UsageError
        from dsv3calc.output.progress import Progress
        from dsv3calc.studies.sweep.answer import run_study
        from dsv3calc.studies.sweep.chunks import folder_of

        if output_options.file is None:
            raise UsageError("sweep needs the name of an output file", "-o out.csv")
        drawn = None
        if output_options.format in PICTURE_FORMATS:
            from dsv3calc.output.pictures.sweep_map import writer_of

            drawn = partial(writer_of, png=output_options.format == "png")
        file = output_options.file
        with Progress("points", folder_of(file), quiet=output_options.quiet) as progress:
            return run_study(
                study,
                file,
                output_options.format,
                ask=partial(_ask, preset_path=preset_path),
                parse=parse_query,
                preset_path=preset_path,
                resume=resume,
                force=output_options.force,
                yes_points=yes_points,
                scheduler=scheduler,
                progress=progress,
                drawn=drawn,
            )

    return run
