"""A timeline as data: lanes of bars along a time axis. Drawing is done elsewhere."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dsv3calc.output.pictures.chart import Axis, Scale

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Kind(NamedTuple):
    """What a bar is one of: its words, and the character that stands for it."""

    label: str
    letter: str


class Bar(NamedTuple):
    """A stretch of time in which a lane is at work."""

    start: float
    end: float
    kind: Kind


class Lane(NamedTuple):
    """A row of bars with what it is called, and a remark beside it."""

    label: str
    bars: Sequence[Bar]
    remark: str = ""


class Timeline:
    """A timeline: what it is called, its lanes, the kinds of bars, and remarks below it."""

    __slots__ = ("axis", "kinds", "lanes", "remarks", "title")

    def __init__(
        self,
        title: str,
        axis: Axis,
        lanes: Sequence[Lane],
        kinds: Sequence[Kind],
        remarks: Sequence[str] = (),
    ) -> None:
        self.title = title
        self.axis = axis
        self.lanes = list(lanes)
        self.kinds = list(kinds)
        self.remarks = list(remarks)

    @property
    def end(self) -> float:
        """The time at which the last bar ends."""
        return max((bar.end for lane in self.lanes for bar in lane.bars[-1:]), default=0.0)

    def scale(self) -> Scale:
        """Return the scale of the time axis, which ends with the last bar."""
        found = Scale(self.axis, [0.0, self.end])
        found.low, found.high = 0.0, self.end or 1.0
        found.ticks = [tick for tick in found.ticks if tick <= found.high]
        return found

    def used(self) -> Iterator[Kind]:
        """Yield the kinds of which there are bars."""
        present = {bar.kind for lane in self.lanes for bar in lane.bars}
        return (kind for kind in self.kinds if kind in present)
