"""A chart as data: axes with their units, curves, points with labels. Drawing is done elsewhere."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from dsv3calc.numbers.quantity_format import format_quantity, prefix_base

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKERS = ("circle", "square", "triangle", "diamond", "cross")
"""Shapes of points, in the order in which kinds of points take them."""

_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Steps between ticks, in units of a prefix."""

_BINARY = 1024
_DOUBLING = tuple(2**power for power in range(10))
"""Those of bytes whose ticks reach into the next prefix: they are round in both."""

_MOST_TICKS = 8
_ALIKE = 1e-6
"""Values that differ by less, relatively, are shown as one."""


class Axis(NamedTuple):
    """What an axis shows, in which unit, and whether its scale is logarithmic."""

    title: str
    unit: str
    logarithmic: bool = False

    @property
    def words(self) -> str:
        """What the axis is called, with its unit where it has one."""
        return self.title if self.unit in ("1", "ratio", "") else f"{self.title} [{self.unit}]"


class Curve(NamedTuple):
    """A line through points, with what it is called; ``dash`` tells one curve from another."""

    points: Sequence[tuple[float, float]]
    label: str
    dash: int = 0


class Point(NamedTuple):
    """A point with its label; ``kind`` names what it is one of, and decides its shape."""

    x: float
    y: float
    label: str
    kind: str = ""


class Chart:
    """A chart: what it is called, its axes, what is drawn in it, and remarks below it."""

    __slots__ = ("curves", "points", "remarks", "title", "x", "y")

    def __init__(
        self,
        title: str,
        x: Axis,
        y: Axis,
        *,
        curves: Sequence[Curve] = (),
        points: Sequence[Point] = (),
        remarks: Sequence[str] = (),
    ) -> None:
        self.title = title
        self.x = x
        self.y = y
        self.curves = list(curves)
        self.points = list(points)
        self.remarks = list(remarks)

    @property
    def kinds(self) -> list[str]:
        """The kinds of points, in the order in which they come up."""
        return list(dict.fromkeys(point.kind for point in self.points))

    def marker(self, kind: str) -> str:
        """Return the shape of the points of a kind."""
        return MARKERS[self.kinds.index(kind) % len(MARKERS)]

    def scales(self) -> tuple[Scale, Scale]:
        """Return the scales on which everything that is drawn has a place."""
        places = [*self.points, *(Point(*each, "") for line in self.curves for each in line.points)]
        return (
            Scale(self.x, [point.x for point in places]),
            Scale(self.y, [point.y for point in places]),
        )


class Scale:
    """Where a value stands between the ends of an axis, and where its ticks are."""

    __slots__ = ("axis", "high", "low", "ticks")

    def __init__(self, axis: Axis, values: Sequence[float]) -> None:
        self.axis = axis
        usable = [value for value in values if math.isfinite(value)]
        if axis.logarithmic:
            usable = [value for value in usable if value > 0]
        low, high = min(usable, default=1.0), max(usable, default=10.0)
        self.ticks = (
            _log_ticks(low, high, prefix_base(axis.unit))
            if axis.logarithmic
            else _even_ticks(low, high, prefix_base(axis.unit))
        )
        self.low, self.high = self.ticks[0], self.ticks[-1]

    def place(self, value: float) -> float:
        """Return where a value stands: 0 at the low end, 1 at the high one."""
        if not self.axis.logarithmic:
            return (value - self.low) / (self.high - self.low)
        return math.log(value / self.low) / math.log(self.high / self.low)

    def tick_text(self, value: float) -> str:
        """Write the value of a tick, with its unit where a prefix changes it."""
        unit = f" {self.axis.unit}"
        if all(_text(tick, self.axis.unit).endswith(unit) for tick in self.ticks):
            return _text(value, self.axis.unit).removesuffix(unit)
        return _text(value, self.axis.unit)


def _text(value: float, unit: str) -> str:
    return format_quantity(int(value) if value == int(value) else value, unit)


def _log_ticks(low: float, high: float, base: int) -> list[float]:
    """Return powers of ten of a prefix that enclose the values, fewer where there are many."""
    first = 3 * math.floor(math.log(low, base))
    if _decade(first, base) > low:  # a logarithm is not exact
        first -= 1
    while _decade(first + 1, base) <= low:
        first += 1
    last = first + 1
    while _decade(last, base) < high:
        last += 1
    step = -(-(last - first) // _MOST_TICKS)
    count = -(-(last - first) // step)
    return [_decade(first + step * number, base) for number in range(count + 1)]


def _decade(number: int, base: int) -> float:
    """Return a power of ten; for bytes 1, 10 and 100 of each of their prefixes."""
    prefix, tens = divmod(number, 3)
    return float(base) ** prefix * 10.0**tens


def _even_ticks(low: float, high: float, base: int) -> list[float]:
    """Return round values, evenly apart, that enclose the values: round with their prefix."""
    if high - low <= _ALIKE * abs(high):
        apart = abs(high) / 10 or 1.0
        low, high = low - apart, high + apart
    rough = (high - low) / _MOST_TICKS
    prefix = float(base) ** math.floor(math.log(rough, base))
    steps = _DOUBLING if base == _BINARY and high > base * prefix else _STEPS
    step = next((number * prefix for number in steps if number * prefix >= rough), base * prefix)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = [number * step for number in range(first, last + 1)]
    return ticks if step >= 1 else [float(f"{tick:.15g}") for tick in ticks]  # 0.6, not 3 * 0.2
