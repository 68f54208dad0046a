"""Runs a study: chunks beside the output, which stay when it is interrupted, then one file."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import OutputError, UsageError
from dsv3calc.reading.escaping import escape
from dsv3calc.reading.files import write_whole
from dsv3calc.studies.sweep.front import mark_front

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsv3calc.studies.sweep.points import Points, Row

    Write = Callable[[str, list[str], Callable[[], Iterator[Row]]], None]

CHUNK = 100
"""Points whose rows are kept in one file."""

MOST_POINTS = 10**8
"""Points above which their number must be repeated with ``--yes-points``."""

_ROW_BYTES = 24
"""Bytes of a cell at the least that a result takes on a disk."""


class Sweep:
    """A study on its way to a file.

    Parameters
    ----------
    points
        What is asked.
    made_from
        The text of the study, and what else the rows depend on.
    output
        The file that is written at the end.
    progress
        Is told how many points of all are done.
    """

    def __init__(
        self, points: Points, made_from: str, output: str, progress: Callable[[int, int], None]
    ) -> None:
        self.points = points
        self.output = output
        self.folder = f"{output}.partial"
        self.progress = progress
        digest = hashlib.sha256(made_from.encode()).hexdigest()
        self.manifest = {
            "study": points.study.name,
            "made_from": digest,
            "points": points.count,
            "chunk": CHUNK,
            "columns": points.columns,
        }

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
        place = os.path.dirname(os.path.abspath(self.output))
        if not os.path.isdir(place) or not os.access(place, os.W_OK):
            raise OutputError(
                f"-o {escape(self.output)}: its directory cannot be written", "choose another place"
            )
        needed = 2 * count * len(self.points.columns) * _ROW_BYTES
        free = shutil.disk_usage(place).free
        if needed > free:
            raise OutputError(
                f"-o {escape(self.output)}: {count:,} rows take {needed:,} bytes or more, and "
                f"{free:,} are free",
                "choose another place, or fewer points",
            )
        if os.path.lexists(self.folder):
            self._check_partial(resume=resume)

    def _check_partial(self, *, resume: bool) -> None:
        if not resume:
            raise UsageError(
                f"{escape(self.folder)}: there is an unfinished sweep",
                "--resume continues it; remove it to start again",
            )
        try:
            with open(f"{self.folder}/manifest.json", encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            raise UsageError(
                f"{escape(self.folder)}: it has no manifest that can be read", "remove it"
            ) from None
        if found != self.manifest:
            raise UsageError(
                f"{escape(self.folder)}: it was made from another study or version",
                "remove it, or take the study that it was made from",
            )

    def run(self, write: Write) -> dict[str, int]:
        """Ask about every point that is not there yet, and write the result.

        Returns
        -------
        How many ``points`` there are, and ``rows`` of them that are kept, ``refused`` ones of
        these.
        """
        os.makedirs(self.folder, exist_ok=True)
        manifest = f"{self.folder}/manifest.json"
        if not os.path.exists(manifest):
            write_whole(manifest, [json.dumps(self.manifest)], force=True)
        count = self.points.count
        for start in range(0, count, CHUNK):
            name = self._chunk(start)
            if not os.path.exists(name):
                rows = (self.points.row(each) for each in range(start, min(start + CHUNK, count)))
                lines = [f"{json.dumps(row)}\n" for row in rows if row is not None]
                write_whole(name, lines, force=True)
            self.progress(min(start + CHUNK, count), count)
        columns, rows_of = self.points.columns, self.rows
        if self.points.study.front:
            columns, rows_of = mark_front(self.points, self.rows)
        kept = refused = 0

        def counted() -> Iterator[Row]:
            nonlocal kept, refused
            kept = refused = 0
            for row in rows_of():
                kept += 1
                refused += bool(row["refused"])
                yield row

        result = f"{self.folder}/result"
        write(result, columns, counted)
        os.replace(result, self.output)
        with suppress(OSError):
            shutil.rmtree(self.folder)
        return {"points": count, "rows": kept, "refused": refused}

    def _chunk(self, start: int) -> str:
        return f"{self.folder}/{start // CHUNK:012d}.jsonl"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of all chunks in order."""
        for start in range(0, self.points.count, CHUNK):
            with open(self._chunk(start), encoding="utf-8") as file:
                yield from map(json.loads, file)
