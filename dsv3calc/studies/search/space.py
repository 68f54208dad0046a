"""A space of candidates: axes, and constraints that refuse combinations and count them.

Combinations are columns: arrays of whole numbers, one for each axis. Axes are joined one after the
other. A constraint is checked as soon as the axes that it needs are there, and what it refuses
counts for as many combinations as the axes still to come have: the counts are those of the whole
space, of which most is never written down.
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

    ``reason`` says why a combination is refused, and ``words`` for people where that is a name;
    ``holds`` says for each whether it satisfies the condition. ``needs`` names the columns that it
    reads; all of them where none is named.
    """

    reason: str
    holds: Callable[[Columns], Any]
    needs: tuple[str, ...] = ()
    words: str = ""


class Derived(NamedTuple):
    """A column that follows from others: those that it ``needs``, and how."""

    needs: tuple[str, ...]
    of: Callable[[Columns], Any]


class Space:
    """The combinations of candidates of several axes.

    Parameters
    ----------
    axes
        The candidates of each axis: whole numbers.
    constraints
        In the order in which they are checked: each sees the combinations that those before it
        leave, and a refused combination counts for the first that refuses it.
    derived
        Columns that follow from axes, or from derived columns before them.
    times
        How many layouts each combination stands for, in the counts.
    """

    def __init__(
        self,
        axes: Mapping[str, Sequence[int]],
        constraints: Sequence[Constraint] = (),
        derived: Mapping[str, Derived] | None = None,
        times: int = 1,
    ) -> None:
        self.axes = {name: list(candidates) for name, candidates in axes.items()}
        self.constraints = tuple(constraints)
        self.derived = dict(derived or {})
        self.times = times
        self._plan = self._due()
        self._forget()

    def _forget(self) -> None:
        self.refused = dict.fromkeys((each.reason for each in self.constraints), 0)
        self.examples: dict[str, dict[str, int]] = {}
        """Reason of a constraint -> a combination that it refused, of the axes joined by then."""

    @property
    def size(self) -> int:
        """The number of layouts, refused ones included."""
        return self.times * prod(map(len, self.axes.values()))

    def candidates(self) -> Columns:
        """Return the combinations that no constraint refuses; count the others by reason."""
        blocks = list(self.blocks())
        return joined(blocks) if blocks else self._none()

    def blocks(self) -> Iterator[Columns]:
        """Yield the combinations that no constraint refuses, in blocks of :data:`BLOCK` or so."""
        self._forget()
        waiting: list[Columns] = []
        rows_waiting = 0
        for found in self._joined(0, {}):
            waiting.append(found)
            rows_waiting += count(found)
            if rows_waiting >= BLOCK:
                yield joined(waiting)
                waiting, rows_waiting = [], 0
        if waiting:
            yield joined(waiting)

    def _none(self) -> Columns:
        import numpy as np

        return {name: np.empty(0, dtype=np.int64) for name in (*self.axes, *self.derived)}

    def _due(self) -> list[list[Constraint]]:
        """Return for each axis the constraints that are checked once it is joined."""
        names: set[str] = set()
        found: list[list[Constraint]] = []
        left = list(self.constraints)
        for name in self.axes:
            names.add(name)
            for derived, each in self.derived.items():
                if names.issuperset(each.needs):
                    names.add(derived)
            last = len(found) == len(self.axes) - 1
            due = [each for each in left if last or (each.needs and names.issuperset(each.needs))]
            left = [each for each in left if each not in due]
            found.append(due)
        return found

    def _joined(self, depth: int, columns: Columns) -> Iterator[Columns]:
        """Join the axes from one on to the combinations of those before it."""
        import numpy as np

        if depth == len(self.axes):
            yield columns
            return
        name, values = list(self.axes.items())[depth]
        more = np.array(values, dtype=np.int64)
        due = self._plan[depth]
        rest = self.times * prod(map(len, list(self.axes.values())[depth + 1 :]))
        there = count(columns) if columns else 1
        step = max(1, BLOCK // max(1, len(more)))
        for start in range(0, there, step):
            part = rows(columns, slice(start, start + step))
            several = min(step, there - start)
            part = {each: np.repeat(column, len(more)) for each, column in part.items()}
            part[name] = np.tile(more, several)
            self._derive(part)
            for constraint in due:
                held = np.asarray(constraint.holds(part), dtype=bool)
                self.refused[constraint.reason] += rest * int(held.size - held.sum())
                if constraint.reason not in self.examples and not held.all():
                    self.examples[constraint.reason] = row(part, int(held.argmin()))
                part = rows(part, held)
            if count(part):
                yield from self._joined(depth + 1, part)

    def _derive(self, columns: Columns) -> None:
        for name, each in self.derived.items():
            if name not in columns and columns.keys() >= set(each.needs):
                columns[name] = each.of(columns)


def constants_of(
    axes: Mapping[str, Sequence[int]], derived: Mapping[str, Derived]
) -> dict[str, Any]:
    """Return the columns that are the same in all combinations, with their number."""
    found: dict[str, Any] = {name: each[0] for name, each in axes.items() if len(each) == 1}
    for name, column in derived.items():
        if found.keys() >= {*column.needs}:
            found[name] = column.of(found)
    return found


def joined(blocks: Sequence[Columns]) -> Columns:
    """Return the rows of several blocks as one."""
    import numpy as np

    if len(blocks) == 1:
        return blocks[0]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def rows(columns: Columns, which: Any) -> Columns:
    """Return some rows of columns: a mask, or their numbers."""
    return {name: each[which] for name, each in columns.items()}


def row(columns: Columns, number: int) -> dict[str, int]:
    """Return one row of columns as integers."""
    return {name: int(each[number]) for name, each in columns.items()}


def count(columns: Columns) -> int:
    """Return the number of rows of columns."""
    return len(next(iter(columns.values())))
