"""Plain data into structs: at once when it is right, with every problem and its place when not.

msgspec converts, and stops at the first fault without a line. So only after a failure ``report``
walks the value and the types together, field by field, and collects all problems with their paths;
the source then gives each path its line and column.

Two things are allowed beyond msgspec's strict mode: a field whose ``Meta(extra={"dimension": …})``
names a dimension takes a quantity in words (``"3.35 TB/s"``), and an integer may be written 1e6.
A struct may define ``problems(self)``, yielding ``(relative path, what, why)`` for what only
several fields together can get wrong.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from dsv3calc.errors import InvalidInput
from dsv3calc.reading.source import Source
from dsv3calc.reading.text import MOST_PROBLEMS, PathInData
from dsv3calc.schema.spec import normalise, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

T = TypeVar("T")


def convert(
    source: Source,
    data: object,
    type_: type[T],
    *,
    file_label: str | None = None,
    overrides: Mapping[PathInData, str] | None = None,
) -> T:
    """Return plain data as an instance of a struct type, checked.

    Parameters
    ----------
    source : Source
        The text that the data came from: problems are shown at its lines.
    data : object
        What ``source.data`` gave, perhaps edited since; it is not changed.
    type_ : type
        A ``msgspec.Struct``, or any type that msgspec converts to.
    file_label : str, optional
        The file's name in messages, where it differs from the source's.
    overrides : Mapping, optional
        Paths that were edited, each with the ``NAME=VALUE`` of its ``--set``: a problem there is
        reported for ``--set NAME=VALUE``, without a line.

    Raises
    ------
    InvalidInput
        With every problem found, in file order.
    """
    try:
        value = _converted(data, type_)
    except msgspec.ValidationError as error:
        from dsv3calc.schema import report

        found = report.walk_all(data, spec_of(type_)) or [report.from_msgspec_error(error)]
    else:
        deep = isinstance(value, (msgspec.Struct, list, tuple, dict))
        faults = list(islice(_sense(value, ()), MOST_PROBLEMS)) if deep else []
        if not faults:
            return value
        from dsv3calc.schema import report

        found = [report.Found(path, what, why=why) for path, what, why in faults]
    raise InvalidInput(
        report.with_positions(found, source, file_label or source.name, overrides or {}),
        unknown=any(fault.key for fault in found),
    )


def _converted(data: object, type_: type[T]) -> T:
    """Convert data as they are, or else with quantities in words and integers written 1e6."""
    try:
        return msgspec.convert(data, type_, strict=True, str_keys=True)
    except msgspec.ValidationError:
        return msgspec.convert(normalise(data, spec_of(type_)), type_, strict=True, str_keys=True)


def _sense(value: Any, path: PathInData) -> Iterator[tuple[PathInData, str, str]]:
    """Yield what the ``problems`` methods of a value and of all that it holds say."""
    steps: Iterable[tuple[str | int, Any]]
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        steps = [(step, getattr(value, name)) for step, name in names]
    else:
        steps = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in steps:
        if isinstance(inner, (msgspec.Struct, list, tuple, dict)):
            yield from _sense(inner, (*path, step))
    method = getattr(value, "problems", None)
    if callable(method):
        for relative, what, why in method():
            yield (*path, *relative), what, why
