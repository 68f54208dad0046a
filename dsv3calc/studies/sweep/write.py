"""Files that a sweep ends in: CSV, JSON, or Parquet where pyarrow is installed."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Row = dict[str, Any]
    Write = Callable[[str, list[str], Iterator[Row]], None]

_ROWS_AT_ONCE = 10_000
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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


def _write_csv(path: str, columns: list[str], rows: Iterator[Row]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_cell(row[name]) for name in columns] for row in rows)


def _cell(value: Any) -> Any:
    """Return a value as a cell; a text that a spreadsheet would run is marked as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_STARTS_FORMULA):
        return f"'{value}"
    return value


def _write_json(path: str, columns: list[str], rows: Iterator[Row]) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write("[")
        for number, row in enumerate(rows):
            ordered = {name: row[name] for name in columns}
            file.write(f"{',' if number else ''}\n{json.dumps(ordered)}")
        file.write("\n]\n")


def _write_parquet(path: str, columns: list[str], rows: Iterator[Row]) -> None:
    import pyarrow as pa  # type: ignore[import-not-found, unused-ignore]
    from pyarrow import parquet  # type: ignore[import-not-found, unused-ignore]

    writer = schema = None
    while several := list(islice(rows, _ROWS_AT_ONCE)):
        found = {name: [row[name] for row in several] for name in columns}
        table = pa.table({name: _typed(values) for name, values in found.items()}, schema)
        if writer is None:
            schema = table.schema
            writer = parquet.ParquetWriter(path, schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _typed(values: list[Any]) -> list[Any]:
    """Return the values of a column as one type: numbers as floats, else texts."""
    there = [each for each in values if each is not None]
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in there):
        return [None if each is None else float(each) for each in values]
    if all(isinstance(each, bool) for each in there):
        return values
    return [None if each is None else str(each) for each in values]


_WRITERS: dict[str, Write] = {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet}
