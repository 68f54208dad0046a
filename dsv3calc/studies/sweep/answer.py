"""Answer ``sweep``: run a study and say what was written."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from dsv3calc import __version__
from dsv3calc.reading.source import read_source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.study import Study
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.sweep.points import Points
from dsv3calc.studies.sweep.run import Sweep
from dsv3calc.studies.sweep.write import writer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.queries.base import Query
    from dsv3calc.studies.sweep.write import Write

_MINUTE = 60


def run_study(
    path: str,
    output: str,
    form: str,
    *,
    ask: Callable[[str], Answer],
    parse: Callable[[str], Query],
    resume: bool = False,
    yes_points: int | None = None,
    quiet: bool = False,
    drawn: Callable[[Points], Write] | None = None,
) -> Answer:
    """Ask about every point of a study, and write a row for each into a file.

    ``drawn`` returns what makes a picture of the rows instead.

    Raises
    ------
    InvalidInput
        If the file is no study.
    UsageError, OutputError
        If a query or an axis is wrong, or the output cannot be written.
    """
    source = read_source(path)
    study = convert(source, source.data, Study)
    if drawn is None:
        writer_of(form)  # refuses a format before points are made
    points = Points(study, ask, parse)
    write = writer_of(form) if drawn is None else drawn(points)
    progress = _Progress() if sys.stderr.isatty() and not quiet else _silent
    sweep = Sweep(points, f"{__version__}\n{source.text}", output, progress)
    sweep.check(resume=resume, yes_points=yes_points)
    counts = sweep.run(partial(write))
    answer = Answer("sweep", {"study": study.name, "output": output})
    answer.rows = [{"study": study.name, **counts, "file": output}]
    left = counts["points"] - counts["rows"]
    if left:
        answer.notes.append(f"{left:,} points are left out: they do not satisfy where")
    if counts["refused"]:
        answer.notes.append(f"{counts['refused']:,} rows have no numbers: see the column refused")
    return answer


def _silent(done: int, every: int) -> None:
    """Show nothing."""


class _Progress:
    """Shows on standard error how much is done, and the time left."""

    def __init__(self) -> None:
        self.start = monotonic()
        self.first: int | None = None

    def __call__(self, done: int, every: int) -> None:
        if self.first is None:
            self.first, self.start = done, monotonic()
        elapsed, since = monotonic() - self.start, done - self.first
        left = f", {(every - done) * elapsed / since / _MINUTE:,.1f} min left" if since else ""
        end = "\n" if done == every else ""
        sys.stderr.write(f"\r{done:,} of {every:,} points{left}   {end}")
        sys.stderr.flush()
