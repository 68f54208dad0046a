"""A row of measurements: what was run on which device, what was measured, and who published it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from dsv3calc.reading.diagnostics import quote
from dsv3calc.schema.fields import Text

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Unit at the end of a metric's name -> its seconds."""

TIMES = ("latency", "duration")
"""What the name of a time begins with, and of nothing else."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement, or a series of them.

    ``area`` says what kind it is, ``group`` which rows would give each other away. ``hw`` is the
    device, ``n`` the number of them, ``prec`` the data types. ``layout``, ``batch``, ``seq`` and
    ``value`` hold what the run is described by and single results, ``series`` lists of equal
    length. The end of a metric's name is its unit: ``latency_us``. ``src``, ``ref`` and ``date``
    say where it was published. ``unusable`` says what contradicts a row: it is neither fitted to
    nor scored.
    """

    id: Text
    area: Text
    group: Text
    what: str = ""
    hw: str = ""
    hw_detail: str = ""
    model: str = ""
    n: int | None = None
    prec: str = ""
    layout: dict[str, Any] = msgspec.field(default_factory=dict)
    batch: dict[str, Any] = msgspec.field(default_factory=dict)
    seq: dict[str, Any] = msgspec.field(default_factory=dict)
    recompute: str = ""
    value: dict[str, Any] = msgspec.field(default_factory=dict)
    series: dict[str, list[Any]] = msgspec.field(default_factory=dict)
    src: str = ""
    ref: str = ""
    date: str = ""
    note: str = ""
    verified: str = ""
    verified_detail: str = ""
    unusable: str = ""

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield a row without a result, series of unequal length, times that cannot be."""
        if not self.value and not self.series:
            yield ("value",), "the row has neither value nor series", "nothing was measured"
        lengths = {len(column) for column in self.series.values()}
        if len(lengths) > 1:
            found = ", ".join(f"{name}: {len(column)}" for name, column in self.series.items())
            yield ("series",), "the lists are not equally long", found
        for table in ("value", "series"):
            for name, result in getattr(self, table).items():
                unit = name.removesuffix("_derived").rpartition("_")[2]
                if unit in SECONDS:
                    yield from _time_problems((table, name), name, result)
                elif name.startswith(TIMES):
                    what = f"{quote(unit)} is no unit of time"
                    yield (table, name), what, f"units: {', '.join(SECONDS)}"


def _time_problems(
    path: tuple[str | int, ...], name: str, result: Any
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    numbers = result if isinstance(result, list) else [result]
    for index, number in enumerate(numbers):
        if isinstance(number, bool) or not isinstance(number, int | float):
            what = f"{quote(number)} is no time"
        elif not math.isfinite(number) or number < 0 or (number == 0 and "notify" not in name):
            what = f"a time cannot be {quote(number)}"
        else:
            continue
        yield (*path, index) if isinstance(result, list) else path, what, "times are above 0"
