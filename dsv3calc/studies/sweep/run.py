"""Runs a study: its points here or on other machines, then one file of their rows."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

from dsv3calc.errors import OutputError, UsageError
from dsv3calc.reading.escaping import escape
from dsv3calc.reading.files import move_into_place
from dsv3calc.studies.sweep.front import mark_front

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dsv3calc.studies.sweep.chunks import Chunks, Part
    from dsv3calc.studies.sweep.points import Points, Row
    from dsv3calc.studies.sweep.write import Write

    Asked = Callable[[Points, Iterator[Part]], Iterator[tuple[Part, Iterable[str]]]]

MOST_POINTS = 10**8
"""Points above which their number must be repeated with ``--yes-points``."""

_CELL_BYTES = 24
"""Bytes of a cell at the least that a result takes on a disk."""


class Counts(NamedTuple):
    """What a study gave: rows, those of them without numbers, and why the first of these."""

    rows: int
    refused: int
    reason: str


def asked_here(points: Points, parts: Iterator[Part]) -> Iterator[tuple[Part, Iterable[str]]]:
    """Ask about points in this process, one after the other."""
    for part in parts:
        yield part, points.lines(part.first, part.stop)


class Sweep:
    """A study on its way to a file.

    Parameters
    ----------
    chunks
        Keep the rows until all are there.
    force
        Whether a file that exists is replaced.
    progress
        Is told how many points of all are done.
    """

    def __init__(
        self, chunks: Chunks, *, force: bool, progress: Callable[[int, int], None]
    ) -> None:
        self.chunks = chunks
        self.points = chunks.points
        self.output = os.path.realpath(chunks.output)
        self.shown = f"-o {escape(chunks.output)}"
        self.force = force
        self.progress = progress

    def check(self, *, resume: bool, yes_points: int | None) -> None:
        """Refuse what cannot end well, before any work is done.

        Raises
        ------
        UsageError
            If there are too many points, or there is an unfinished sweep and is not to be resumed.
        OutputError
            If the place cannot hold the result.
        """
        count = self.points.count
        if count > MOST_POINTS and yes_points != count:
            raise UsageError(
                f"the study has {count:,} points",
                f"--yes-points {count} if you mean it; each takes a few milliseconds or more",
            )
        place = os.path.dirname(self.output)
        if not os.path.isdir(place) or not os.access(place, os.W_OK):
            raise OutputError(f"{self.shown}: its directory cannot be written", _ANOTHER)
        if os.path.exists(self.output) and not os.path.isfile(self.output):
            raise UsageError(f"{self.shown}: a sweep cannot be written to a device", _ANOTHER)
        needed = 2 * count * len(self.points.columns) * _CELL_BYTES
        free = shutil.disk_usage(place).free
        if needed > free:
            raise OutputError(
                f"{self.shown}: {count:,} rows take {needed:,} bytes or more, and {free:,} are "
                "free",
                "choose another place, or fewer points",
            )
        try:
            self.chunks.check(resume=resume)
        except OSError as error:
            raise OutputError(f"{self.shown}: {error.strerror or error}", _ANOTHER) from None

    def run(self, ask: Asked, write: Write) -> Counts:
        """Ask about every point that is not there yet, and write the result.

        Raises
        ------
        OutputError
            If it cannot be written: a full disk. Rows that are there stay.
        UsageError
            If there is nothing to be written of these rows, or the file has come to be.
        """
        try:
            with self.chunks.held():
                for part, lines in ask(self.points, self.chunks.parts()):
                    for done in self.chunks.add(part, lines):
                        self.progress(done, self.points.count)
                return self._write(write)
        except FileExistsError:
            raise UsageError(
                f"{self.shown}: the file exists by now", "--resume --force replaces it"
            ) from None
        except OSError as error:
            kept = f"{self.chunks.done:,} of {self.points.count:,} points are kept"
            raise OutputError(
                f"{self.shown}: {error.strerror or error}",
                f"--resume continues after that: {kept}" if self.chunks.done else _ANOTHER,
            ) from None

    def _write(self, write: Write) -> Counts:
        columns, rows_of = self.points.columns, self.chunks.rows
        if self.points.study.front:
            columns, rows_of = mark_front(self.points, self.chunks.rows)
        found = Counts(0, 0, "")

        def counted() -> Iterator[Row]:
            nonlocal found
            found = Counts(0, 0, "")
            for row in rows_of():
                reason = row["refused"]
                found = Counts(found.rows + 1, found.refused + bool(reason), found.reason or reason)
                yield row

        result = f"{self.chunks.folder}/result"
        try:
            write(result, columns, counted)
        except UsageError:  # these rows will never do
            self.chunks.remove()
            raise
        move_into_place(result, self.output, force=self.force)
        self.chunks.remove()
        return found


_ANOTHER = "choose another place"
