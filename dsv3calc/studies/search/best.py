"""The best layouts that were met: the first few by one objective, or the front of several.

Objectives are numbers of which less is better. Of equal layouts the one whose axes come first in
order is kept.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Found(NamedTuple):
    """A layout that was met: its objectives, its place in the order of the axes, its axes."""

    objectives: tuple[float, ...]
    order: tuple[int, ...]
    axes: dict[str, Any]


class Few:
    """The first few layouts by one objective."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.found: list[Found] = []

    @property
    def limit(self) -> float:
        """The objective above which no layout is among the first few."""
        return self.found[-1].objectives[0] if len(self.found) == self.most else float("inf")

    def chosen(self, objectives: Sequence[Any], mask: Any) -> Any:
        """Return the rows of a block that may be among the first few."""
        import numpy as np

        values = np.where(mask, objectives[0], np.inf)
        (rows,) = np.nonzero(values <= self.limit)
        rows = rows[np.isfinite(values[rows])]
        if len(rows) > self.most:
            last = np.partition(values[rows], self.most - 1)[self.most - 1]
            rows = rows[values[rows] <= last]
        return rows

    def add(self, met: Sequence[Found]) -> None:
        """Take over those of some layouts that are among the first few."""
        self.found = sorted((*self.found, *met), key=lambda each: each[:2])[: self.most]


class Front:
    """The layouts that no other one beats or equals in every objective."""

    def __init__(self) -> None:
        self.found: list[Found] = []

    def chosen(self, objectives: Sequence[Any], mask: Any) -> Any:
        """Return the rows of a block that may be on the front."""
        import numpy as np

        (rows,) = np.nonzero(np.logical_and.reduce([mask, *map(np.isfinite, objectives)]))
        points = [np.asarray(each)[rows] for each in objectives]
        for each in self.found:
            keep = ~_beaten(points, each.objectives)
            if not keep.all():
                rows, points = rows[keep], [values[keep] for values in points]
        order = np.lexsort(points[::-1])
        rows, points = rows[order], [values[order] for values in points]
        kept: list[Any] = []
        while len(rows):
            first = tuple(values[0] for values in points)  # nothing left beats it: the least
            equal = np.logical_and.reduce(
                [values == one for values, one in zip(points, first, strict=True)]
            )
            kept.append(rows[equal])
            keep = ~(_beaten(points, first) | equal)
            rows, points = rows[keep], [values[keep] for values in points]
        return np.concatenate(kept) if kept else rows

    def add(self, met: Sequence[Found]) -> None:
        """Take over those of some layouts that are on the front, and drop those that they beat."""
        if not met:
            return
        every = sorted((*self.found, *met), key=lambda each: each[:2])
        front: list[Found] = []
        for each in every:
            if not any(_covers(other, each) for other in front):
                front.append(each)
        self.found = front


def _beaten(points: Sequence[Any], other: Sequence[float]) -> Any:
    """Tell of each point whether another one is no worse in any objective, and better in one."""
    no_worse = points[0] >= other[0]
    better = points[0] > other[0]
    for values, one in zip(points[1:], other[1:], strict=True):
        no_worse &= values >= one
        better |= values > one
    return no_worse & better


def _covers(one: Found, other: Found) -> bool:
    """Tell whether a layout is at least as good as another one in every objective."""
    return all(a <= b for a, b in zip(one.objectives, other.objectives, strict=True))


def axes_in_order(
    axes: Mapping[str, Any], candidates: Mapping[str, Sequence[Any]]
) -> tuple[int, ...]:
    """Return the place of a layout in the order of the axes, by their candidates."""
    return tuple(list(values).index(axes[name]) for name, values in candidates.items())
