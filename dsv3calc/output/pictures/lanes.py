"""Lanes of bars along an axis, as data: passes along time, classes of memory along bytes.

Drawing is done elsewhere.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from dsv3calc.output.pictures.chart import Axis, Scale

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Kind(NamedTuple):
    """What a bar is one of: its words, and the character that stands for it."""

    label: str
    letter: str


class Bar(NamedTuple):
    """A stretch of the axis that a lane takes."""

    start: float
    end: float
    kind: Kind


class Lane(NamedTuple):
    """A row of bars with what it is called, and a remark beside it."""

    label: str
    bars: Sequence[Bar]
    remark: str = ""


class Mark(NamedTuple):
    """A value of the axis that all lanes are compared with, and what it is."""

    value: float
    label: str


class Lanes:
    """Lanes: what they are called, the kinds of bars, marks, and remarks below.

    ``rest`` is what a lane does where it has no bar, empty where that goes without saying.
    """

    __slots__ = ("axis", "kinds", "lanes", "marks", "remarks", "rest", "title")

    def __init__(
        self,
        title: str,
        axis: Axis,
        lanes: Sequence[Lane],
        kinds: Sequence[Kind],
        remarks: Sequence[str] = (),
        *,
        marks: Sequence[Mark] = (),
        rest: str = "",
    ) -> None:
        self.title = title
        self.axis = axis
        self.lanes = list(lanes)
        self.kinds = list(kinds)
        self.remarks = list(remarks)
        self.marks = list(marks)
        self.rest = rest

    @property
    def end(self) -> float:
        """Where the last bar or mark is."""
        ends = [bar.end for lane in self.lanes for bar in lane.bars[-1:]]
        return max([*ends, *(mark.value for mark in self.marks)], default=0.0)

    def scale(self) -> Scale:
        """Return the scale of the axis, which ends where the last bar or mark does."""
        found = Scale(self.axis, [0.0, self.end])
        found.low, found.high = 0.0, self.end or 1.0
        found.ticks = [tick for tick in found.ticks if tick <= found.high]
        return found

    def used(self) -> Iterator[Kind]:
        """Yield the kinds of which there are bars."""
        present = {bar.kind for lane in self.lanes for bar in lane.bars if bar.end > bar.start}
        return (kind for kind in self.kinds if kind in present)


def stacked(values: Sequence[float], kinds: Sequence[Kind]) -> list[Bar]:
    """Return bars of these lengths, one after the other from 0."""
    ends = [*itertools.accumulate(values, initial=0.0)]
    return [
        Bar(start, end, kind)
        for (start, end), kind in zip(itertools.pairwise(ends), kinds, strict=True)
    ]
