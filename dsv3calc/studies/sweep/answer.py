"""Answer ``sweep``: run a study and say what was written."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc import __version__
from dsv3calc.reading.diagnostics import quote
from dsv3calc.reading.source import read_source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.study import Study
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.sweep.chunks import Chunks
from dsv3calc.studies.sweep.points import Points
from dsv3calc.studies.sweep.run import Sweep, asked_here
from dsv3calc.studies.sweep.write import writer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.queries.base import Query
    from dsv3calc.studies.sweep.run import Asked, Counts
    from dsv3calc.studies.sweep.write import Write


def run_study(
    path: str,
    output: str,
    form: str,
    *,
    ask: Callable[[str], Answer],
    parse: Callable[[str], Query],
    preset_path: str | None = None,
    resume: bool = False,
    force: bool = False,
    yes_points: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] = lambda _done, _every: None,
    drawn: Callable[[Points], Write] | None = None,
) -> Answer:
    """Ask about every point of a study, and write a row for each into a file.

    ``preset_path`` is where ``ask`` looks. ``scheduler`` is the address of a cluster whose workers
    ask; ``drawn`` returns what makes a picture of the rows instead.

    Raises
    ------
    InvalidInput
        If the file is no study.
    UsageError, OutputError
        If an option is wrong, or the output cannot be written.
    """
    source = read_source(path)
    study = convert(source, source.data, Study)
    if drawn is None:
        writer_of(form)  # refuses a format before points are made
    asked: Asked = asked_here
    if scheduler is not None:
        from dsv3calc.studies.sweep.cluster import asked_by

        asked = asked_by(scheduler)
    points = Points(study, ask, parse, source)
    write = writer_of(form) if drawn is None else drawn(points)
    chunks = Chunks(output, points, f"{__version__}\n{preset_path}\n{source.text}")
    sweep = Sweep(chunks, force=force, progress=progress)
    sweep.check(resume=resume, yes_points=yes_points)
    if not chunks.begun:
        points.check()
    counts = sweep.run(asked, write)
    answer = Answer("sweep", {"study": study.name, "output": output})
    found = {"points": points.count, "rows": counts.rows, "refused": counts.refused}
    answer.rows = [{"study": study.name, **found, "file": output}]
    _tell(answer, study, counts, chunks.left_out)
    return answer


def _tell(answer: Answer, study: Study, counts: Counts, left_out: list[int]) -> None:
    """Say which points have no row, and which rows no numbers."""
    for text, number in zip(study.where, left_out, strict=True):
        if number:
            words = f"{number:,} points are left out by where {quote(text)}"
            (answer.notes.append if counts.rows else answer.warn)(words)
    if counts.refused == counts.rows > 0:
        answer.warn(f"no row has numbers; the first reason: {counts.reason}")
    elif counts.refused:
        answer.notes.append(
            f"{counts.refused:,} of {counts.rows:,} rows have no numbers: see the column refused; "
            f"the first reason: {counts.reason}"
        )
