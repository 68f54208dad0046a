"""Rows of passes over memory by themselves."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.studies.measurements.cases import Case, NotExpressed, number, repeated, times

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.measurement import Row


def passes(row: Row, device: Hardware) -> list[Case]:
    """Express a row of a copy; other kernels have no formula."""
    if "bytes_moved" not in row.value:
        raise NotExpressed("a kernel of another kind: no bytes_moved")
    moved = number(row, "value.bytes_moved")
    seconds = times(row, "latency")
    return [
        Case(
            row=row, device=device, kind="copy", form="pass", entry=("passes", "copy"),
            points=_points(moved, len(seconds)), seconds=seconds,
            sizes={"bytes": [moved]},
        )
    ]  # fmt: skip


def _points(moved: float, count: int) -> list[dict[str, float]]:
    """Return the inputs of so many times of one pass."""
    return [{"moved": each} for each in repeated(moved, count)]
