"""Rows of measurements: read one by one from a file of any size.

A line holds one row as JSON, with or without the ``- `` of a YAML list; empty lines and comments
are passed over.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.catalogue.search_path import packaged_presets
from dsv3calc.errors import InvalidInput
from dsv3calc.reading.diagnostics import Problem
from dsv3calc.reading.source import Source, parse_json, read_lines
from dsv3calc.reading.text import MOST_PROBLEMS
from dsv3calc.schema.convert import convert
from dsv3calc.schema.measurement import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = "measurements"
ENDING = ".jsonl"


class Place(msgspec.Struct, frozen=True):
    """Where a row stands."""

    file: str
    line: int


def shipped_files() -> list[str]:
    """Return the files of the measurements that are shipped."""
    folder = os.path.join(packaged_presets(), FOLDER)
    return [
        os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(ENDING)
    ]


def read_rows(files: list[str]) -> Iterator[tuple[Place, Row]]:
    """Yield the rows of files, with their places.

    Raises
    ------
    InvalidInput
        After the last row, with every problem of every line: what is no row, and names given twice.
    """
    problems: list[Problem] = []
    seen: dict[str, Place] = {}
    for file in files:
        for number, line in enumerate(read_lines(file), 1):
            text = line.strip()
            if not text or text.startswith(b"#"):
                continue
            place = Place("<stdin>" if file == "-" else file, number)
            try:
                row = _row(text.removeprefix(b"- "), place)
            except InvalidInput as error:
                problems += error.problems
                if len(problems) >= MOST_PROBLEMS:
                    raise InvalidInput(problems[:MOST_PROBLEMS]) from None
                continue
            if row.id in seen:
                first = seen[row.id]
                what = f"the id '{row.id}' is given twice"
                why = f"first in {first.file}:{first.line}"
                problems.append(Problem(place.file, number, None, what, "id", why))
                continue
            seen[row.id] = place
            yield place, row
    if problems:
        raise InvalidInput(problems)


_DECODER = msgspec.json.Decoder(Row)


def _row(text: bytes, place: Place) -> Row:
    """Return the row of a line; the slow way that finds every problem is taken where one is."""
    try:
        row = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    else:
        if not any(row.problems()):
            return row
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"not UTF-8: byte {error.start} of the row is 0x{text[error.start]:02x}"
        raise InvalidInput([Problem(place.file, place.line, None, what)]) from None
    source = Source(place.file, decoded, "json")
    try:
        data: Any = parse_json(source)
        return convert(source, data, Row)
    except InvalidInput as error:
        raise InvalidInput(
            [msgspec.structs.replace(problem, line=place.line) for problem in error.problems]
        ) from None
