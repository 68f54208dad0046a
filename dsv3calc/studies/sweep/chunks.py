"""The rows of a study while it runs: files beside the output, which stay when it is interrupted.

A chunk has a line for each point that was asked: the row as JSON, or the number of the condition
that leaves the point out. A line is written as soon as it is there, so whatever ends the process,
the points before it are kept. A chunk resumes after its last whole line.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from dsv3calc.errors import UsageError
from dsv3calc.reading.escaping import escape
from dsv3calc.reading.files import locked, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsv3calc.studies.sweep.points import Points, Row

_LARGEST = 100
_SHARES = 64
_MOST_CHUNKS = 10_000


def chunk_size(points: int) -> int:
    """Return the points of a chunk: at most 100, but for studies of more than a million points.

    Small studies have many chunks as well, so that several machines can share them.

    >>> [chunk_size(points) for points in (20, 10_000, 1_000_000, 10**8)]
    [1, 100, 100, 10000]
    """
    return max(min(_LARGEST, -(-points // _SHARES)), -(-points // _MOST_CHUNKS))


def folder_of(output: str) -> str:
    """Return where the rows of an output are kept: beside the file itself, not a link to it."""
    return f"{os.path.realpath(output) if os.path.islink(output) else output}.partial"


class Part(NamedTuple):
    """Points of one chunk that are still to be asked: from ``first`` on, ``stop`` is none."""

    first: int
    stop: int


class Chunks:
    """The chunks of a study beside the file that it ends in.

    Parameters
    ----------
    output
        That file.
    points
        What is asked.
    made_from
        What the rows depend on: chunks made from something else are not resumed.
    """

    def __init__(self, output: str, points: Points, made_from: str) -> None:
        self.points = points
        self.output = output
        self.folder = folder_of(output)
        self.size = chunk_size(points.count)
        self.done = 0
        self.left_out = [0] * len(points.study.where)
        self.manifest = {
            "study": points.study.name,
            "made_from": hashlib.sha256(made_from.encode()).hexdigest(),
            "points": points.count,
            "chunk": self.size,
            "columns": points.columns,
        }

    @property
    def _shown(self) -> str:
        return escape(self.folder)

    def check(self, *, resume: bool) -> None:
        """Refuse to overwrite an unfinished sweep, or to resume one of something else.

        Raises
        ------
        UsageError
            If another process writes it, it is not to be resumed, or is of another study.
        """
        if not os.path.lexists(self.folder):
            return
        names = os.listdir(self.folder) if os.path.isdir(self.folder) else ["a file"]
        if "lock" not in names and names:
            raise UsageError(
                f"{self._shown}: it is in the way, and is no unfinished sweep", "-o another file"
            )
        if "lock" in names:
            with self._locked():
                pass
        if not self.begun:
            return  # it was stopped before its first point
        if not resume:
            raise UsageError(
                f"{self._shown}: there is an unfinished sweep",
                "--resume continues it; remove it to start again",
            )
        try:
            with open(f"{self.folder}/manifest.json", encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            raise UsageError(
                f"{self._shown}: it has no manifest that can be read", "remove it to begin anew"
            ) from None
        if found != self.manifest:
            raise UsageError(
                f"{self._shown}: it was made from another study or version",
                "remove it, or take the study that it was made from",
            )

    @property
    def begun(self) -> bool:
        """Whether points were asked before."""
        return os.path.isdir(self.folder) and any(
            name.endswith(".jsonl") for name in os.listdir(self.folder)
        )

    def _locked(self) -> Any:
        return locked(
            f"{self.folder}/lock",
            f"{self._shown}: another sweep is writing it",
            "wait for it, or -o another file",
        )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder, which is made, against other processes."""
        os.makedirs(self.folder, exist_ok=True)
        with open(f"{self.folder}/lock", "a", encoding="utf-8"):
            pass  # it is never replaced, as a file is that is written whole
        with self._locked():
            write_whole(f"{self.folder}/manifest.json", [json.dumps(self.manifest)], force=True)
            yield

    def remove(self) -> None:
        """Remove the folder."""
        with suppress(OSError):
            shutil.rmtree(self.folder)

    # --- points

    def parts(self) -> Iterator[Part]:
        """Yield the points that no chunk has yet; those that one has are counted as done."""
        for start in range(0, self.points.count, self.size):
            stop = min(start + self.size, self.points.count)
            first = start + self._kept(start, stop)
            self.done += first - start
            if first < stop:
                yield Part(first, stop)

    def _kept(self, start: int, stop: int) -> int:
        """Return how many points a chunk has; what follows its last whole line is cut off."""
        name = self._name(start)
        if not os.path.exists(name):
            return 0
        number = length = 0
        with open(name, "rb") as file:
            for line in file:
                if number == stop - start or not self._is_whole(line):
                    break
                number, length = number + 1, length + len(line)
        if os.path.getsize(name) > length:
            os.truncate(name, length)
        return number

    def _is_whole(self, line: bytes) -> bool:
        if not line.endswith(b"\n"):
            return False
        try:
            found = json.loads(line)
        except ValueError:
            return False
        if isinstance(found, dict):
            return [*found] == self.points.columns
        return type(found) is int and 0 <= found < len(self.left_out)

    def add(self, part: Part, lines: Iterable[str]) -> Iterator[int]:
        """Write lines, of one or several points each; yield how many points are done."""
        with open(self._name(part.first), "ab") as file:
            for line in lines:
                file.write(line.encode())
                file.flush()
                self.done += line.count("\n")
                yield self.done

    def _name(self, number: int) -> str:
        return f"{self.folder}/{number // self.size:012d}.jsonl"

    def rows(self) -> Iterator[Row]:
        """Yield the rows of all chunks in order; points that conditions leave out are counted."""
        self.left_out = [0] * len(self.left_out)
        for start in range(0, self.points.count, self.size):
            with open(self._name(start), encoding="utf-8") as file:
                for found in map(json.loads, file):
                    if isinstance(found, dict):
                        yield found
                    else:
                        self.left_out[found] += 1
