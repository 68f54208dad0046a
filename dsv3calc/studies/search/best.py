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

        (rows,) = np.nonzero(mask)
        points = np.stack([np.asarray(each)[rows] for each in objectives], axis=1)
        for each in self.found:
            beaten = (points >= np.array(each.objectives)).all(axis=1)
            equal = (points == np.array(each.objectives)).all(axis=1)
            keep = ~beaten | equal
            rows, points = rows[keep], points[keep]
        order = np.lexsort(points.T[::-1])
        rows, points = rows[order], points[order]
        kept: list[int] = []
        left = np.arange(len(rows))
        while len(left):
            first = left[0]  # nothing left beats it: it is the least in order
            kept.append(first)
            others = left[1:]
            beaten = (points[others] >= points[first]).all(axis=1)
            equal = (points[others] == points[first]).all(axis=1)
            kept += others[equal].tolist()
            left = others[~beaten]
        return rows[np.array(kept, dtype=np.intp)]

    def add(self, met: Sequence[Found]) -> None:
        """Take over those of some layouts that are on the front, and drop those that they beat."""
        every = sorted((*self.found, *met), key=lambda each: each[:2])
        front: list[Found] = []
        for each in every:
            if not any(_covers(other, each) for other in front):
                front.append(each)
        self.found = front


def _covers(one: Found, other: Found) -> bool:
    """Tell whether a layout is at least as good as another one in every objective."""
    return all(a <= b for a, b in zip(one.objectives, other.objectives, strict=True))


def axes_in_order(
    axes: Mapping[str, Any], candidates: Mapping[str, Sequence[Any]]
) -> tuple[int, ...]:
    """Return the place of a layout in the order of the axes, by their candidates."""
    return tuple(list(values).index(axes[name]) for name, values in candidates.items())
