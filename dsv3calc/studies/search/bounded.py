"""Categories of a block by a bound of their objective, so that few layouts are counted exactly."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from dsv3calc.studies.search.space import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dsv3calc.studies.search.best import Few
    from dsv3calc.studies.search.space import Columns

    Category = dict[str, Any]


class Part(NamedTuple):
    """Rows of a block that may be among the best in some of the categories that share most."""

    rows: Any
    counted: Any

    def put(self, result: str, category: Category, into: Any) -> Any:
        """Return numbers of all rows, with a result of the rows of this part put in."""
        found = into.copy()
        found[self.rows] = self.counted.of(result, category)
        return found


def part_of(block: Callable[[Columns], Any], columns: Columns, masks: Sequence[Any]) -> Part:
    """Return the rows of several masks as a block of their own."""
    import numpy as np

    (which,) = np.logical_or.reduce(masks).nonzero()
    counted = block(rows(columns, which))
    counted.several = True
    return Part(which, counted)


class Bounded:
    """Categories of a block by their least first objective.

    A category waits with a bound of its objective, that of another category, until no other one has
    less. One whose bound is above the best so far is yielded with the bound: none of its rows is
    counted. So is one of which nothing fits, as long as there is no best.

    Categories that share most are counted together, on all rows that may be among the best in one
    of those that wait: these rows, where there are such, have all that are counted later.

    Parameters
    ----------
    counted
        What counts the rows of the block.
    leaves
        The categories, and the rows that each may have.
    objective
        The name of the objective, and its sign: less is better of what that makes of it.
    best
        The best layouts so far.
    part
        Returns the rows of several masks as a block of their own.
    none_fits
        Tells whether it is known that nothing of a category fits.
    """

    def __init__(
        self,
        counted: Any,
        leaves: Sequence[tuple[Category, Any]],
        objective: tuple[str, int],
        best: Few,
        part: Callable[[Sequence[Any]], Part],
        none_fits: Callable[[Category, Any], bool],
    ) -> None:
        self.counted = counted
        self.leaves = leaves
        self.name, self.sign = objective
        self.best = best
        self.part = part
        self.none_fits = none_fits
        self._known: dict[str, Any] = {}

    def categories(self) -> Iterator[tuple[int, Any, Part | None]]:
        """Yield the number of each category, with the objective of each row."""
        parts: dict[str, Part] = {}
        waiting = []
        for number, (category, mask) in enumerate(self.leaves):
            least = float(self._bound(category)[mask].min())
            waiting.append((least, number, self.counted.bounded_by(category) is None))
        heapify(waiting)
        while waiting:
            least, number, exact = heappop(waiting)
            category, mask = self.leaves[number]
            group = self.counted.group_of(category)
            values = self._first(category) if exact else self._bound(category)
            if exact or least > self.best.limit or self.none_fits(category, mask):
                yield number, values, parts.get(group)
                continue
            if group not in parts:
                others = [self.leaves[each] for _, each, _ in waiting]
                others = [each for each in others if self.counted.group_of(each[0]) == group]
                parts[group] = self.part(
                    [self._near(*each) for each in ((category, mask), *others)]
                )
            found = parts[group].put(self.name, category, self.sign * values)
            self._known[repr(category)] = values = self.sign * found
            heappush(waiting, (float(values[mask].min()), number, True))

    def _near(self, category: Category, mask: Any) -> Any:
        """Return the rows of a category that may be among the best."""
        return mask & (self._bound(category) <= self.best.limit)

    def _bound(self, category: Category) -> Any:
        """Return what the objective of a category is at least."""
        bounding = self.counted.bounded_by(category)
        return self._first(category if bounding is None else bounding)

    def _first(self, category: Category) -> Any:
        """Return the objective of a category."""
        key = repr(category)
        if key not in self._known:
            self._known[key] = self.sign * self.counted.of(self.name, category)
        return self._known[key]
