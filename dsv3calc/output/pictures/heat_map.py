"""A map as data: a value for each pair of two things that vary, shown by its shade."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.output.pictures.chart import Axis


class HeatMap:
    """A map: its columns and rows by name, and the value of each cell, None where there is none."""

    __slots__ = ("across", "cells", "remarks", "title", "up", "value")

    def __init__(
        self,
        title: str,
        across: tuple[str, Sequence[str]],
        up: tuple[str, Sequence[str]],
        value: Axis,
        cells: Sequence[Sequence[float | None]],
        remarks: Sequence[str] = (),
    ) -> None:
        self.title = title
        self.across = across
        self.up = up
        self.value = value
        self.cells = [list(row) for row in cells]
        self.remarks = list(remarks)

    def shade(self, value: float) -> float:
        """Return where a value lies between the least and the most: from 0 to 1."""
        scaled = math.log if self.value.logarithmic else float
        known = [scaled(each) for row in self.cells for each in row if each is not None]
        low, high = min(known), max(known)
        return (scaled(value) - low) / (high - low) if high > low else 0.0
