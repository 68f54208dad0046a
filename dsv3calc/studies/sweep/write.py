"""Files that a sweep ends in: CSV, JSON, or Parquet where pyarrow is installed."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.reading.escaping import csv_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsv3calc.studies.sweep.points import Row

    Rows = Callable[[], Iterator[Row]]
    Write = Callable[[str, list[str], Rows], None]

_ROWS_AT_ONCE = 10_000
_LARGEST_INTEGER = 2**63


def writer_of(form: str) -> Write:
    """Return what writes the rows of a sweep in a format.

    Raises
    ------
    UsageError
        If it is none of them, or its package is missing.
    """
    if form not in _WRITERS:
        raise UsageError(
            f"sweep writes {', '.join(_WRITERS)}, and not {form}", "-o out.csv, -o out.json"
        )
    if form == "parquet" and find_spec("pyarrow") is None:
        raise UsageError("Parquet needs the package pyarrow", "python -m pip install pyarrow")
    return _WRITERS[form]


def _write_csv(path: str, columns: list[str], rows: Rows) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_cell(row[name]) for name in columns] for row in rows())


def _cell(value: Any) -> Any:
    """Return a value as a cell; a text that a spreadsheet would run is marked as text."""
    return str(value).lower() if isinstance(value, bool) else csv_cell(value)


def _write_json(path: str, columns: list[str], rows: Rows) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write("[")
        for number, row in enumerate(rows()):
            ordered = {name: row[name] for name in columns}
            file.write(f"{',' if number else ''}\n{json.dumps(ordered)}")
        file.write("\n]\n")


def _write_parquet(path: str, columns: list[str], rows: Rows) -> None:
    import pyarrow as pa  # type: ignore[import-not-found, unused-ignore]
    from pyarrow import parquet  # type: ignore[import-not-found, unused-ignore]

    kinds = _kinds(columns, rows())
    types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    every = rows()
    with parquet.ParquetWriter(path, schema) as writer:
        while several := list(islice(every, _ROWS_AT_ONCE)):
            found = {
                name: [None if row[name] is None else kind(row[name]) for row in several]
                for name, kind in kinds.items()
            }
            writer.write_table(pa.table(found, schema))


def _kinds(columns: list[str], rows: Iterator[Row]) -> dict[str, type[Any]]:
    """Return the type of each column, that of all of its values: else texts."""
    met: dict[str, set[type[Any]]] = {name: set() for name in columns}
    for row in rows:
        for name in columns:
            value = row[name]
            large = type(value) is int and abs(value) >= _LARGEST_INTEGER
            if value is not None:
                met[name].add(float if large else type(value))
    return {name: _kind(types) for name, types in met.items()}


def _kind(types: set[type[Any]]) -> type[Any]:
    if len(types) == 1:
        return next(iter(types))
    return float if types == {int, float} else str


_WRITERS: dict[str, Write] = {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet}
