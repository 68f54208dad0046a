"""A space of candidates: axes, and constraints that refuse combinations and count them.

Combinations are columns: arrays of whole numbers, one for each axis.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Columns = dict[str, Any]

BLOCK = 2**16
"""Combinations that are looked at together."""


class Constraint(NamedTuple):
    """A condition on combinations.

    ``reason`` says why a combination is refused; ``holds`` says for each whether it satisfies the
    condition.
    """

    reason: str
    holds: Callable[[Columns], Any]


class Space:
    """The combinations of candidates of several axes.

    Parameters
    ----------
    axes
        The candidates of each axis: whole numbers.
    constraints
        In the order in which they are checked: each sees the combinations that those before it
        leave, and a refused combination counts for the first that refuses it.
    """

    def __init__(
        self, axes: Mapping[str, Sequence[int]], constraints: Sequence[Constraint] = ()
    ) -> None:
        self.axes = {name: list(candidates) for name, candidates in axes.items()}
        self.constraints = tuple(constraints)
        self.refused = dict.fromkeys((each.reason for each in self.constraints), 0)

    @property
    def size(self) -> int:
        """The number of combinations, refused ones included."""
        return prod(map(len, self.axes.values()))

    def candidates(self) -> Columns:
        """Return the combinations that no constraint refuses; count the others by reason."""
        import numpy as np

        self.refused = dict.fromkeys(self.refused, 0)
        blocks = list(self._blocks())
        return {
            name: np.concatenate([block[name] for block in blocks])
            if blocks
            else np.empty(0, dtype=np.int64)
            for name in self.axes
        }

    def _blocks(self) -> Iterator[Columns]:
        import numpy as np

        values = [np.array(each, dtype=np.int64) for each in self.axes.values()]
        shape = [len(each) for each in values]
        for start in range(0, self.size, BLOCK):
            places = np.unravel_index(np.arange(start, min(start + BLOCK, self.size)), shape)
            columns = {
                name: each[place]
                for name, each, place in zip(self.axes, values, places, strict=True)
            }
            for constraint in self.constraints:
                held = np.asarray(constraint.holds(columns), dtype=bool)
                self.refused[constraint.reason] += int(held.size - held.sum())
                columns = rows(columns, held)
            yield columns


def rows(columns: Columns, which: Any) -> Columns:
    """Return some rows of columns: a mask, or their numbers."""
    return {name: each[which] for name, each in columns.items()}


def row(columns: Columns, number: int) -> dict[str, int]:
    """Return one row of columns as integers."""
    return {name: int(each[number]) for name, each in columns.items()}


def count(columns: Columns) -> int:
    """Return the number of rows of columns."""
    return len(next(iter(columns.values())))


def ordered(columns: Columns, cost: Any) -> Columns:
    """Return the rows by cost, the least first; equal ones by their axes in order."""
    import numpy as np

    return rows(columns, np.lexsort((*reversed(columns.values()), cost)))
