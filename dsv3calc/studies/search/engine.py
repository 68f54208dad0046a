"""How the best candidate is found: rows are ordered by a cheap cost, and tested in that order.

``accepts`` says for each row of columns whether a candidate is acceptable. It is called with many
rows at once, and with no row that cannot be the best.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.studies.search.space import count, row, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.search.space import Columns

    Accepts = Callable[[Columns], Any]

FIRST_ROWS = 64
FIRST_BISECTED = 256
GROWTH = 4
"""Each block of rows has so many times the rows of the one before."""


def in_blocks(columns: Columns, size: int, accepts: Accepts) -> Any:
    """Call ``accepts`` with at most ``size`` rows at once, which limits memory."""
    import numpy as np

    size = max(1, size)
    found = [
        accepts(rows(columns, slice(start, start + size)))
        for start in range(0, count(columns), size)
    ]
    return np.concatenate(found) if found else np.zeros(0, dtype=bool)


def first_accepted(columns: Columns, accepts: Accepts) -> dict[str, int] | None:
    """Return the first row that is accepted: the best one, where rows are in order of cost."""
    start, step = 0, FIRST_ROWS
    while start < count(columns):
        found = accepts(rows(columns, slice(start, start + step)))
        if found.any():
            return row(columns, start + int(found.argmax()))
        start, step = start + step, GROWTH * step
    return None


class LeastMultiple:
    """For each row the least multiple of a unit that is accepted, and of all rows the cheapest.

    Where a multiple is accepted, larger ones are too, so the least is found by bisection.

    Parameters
    ----------
    columns
        Rows in order of their cost.
    cost
        The cost of one unit of each row; that of a multiple is as many times as large.
    accepts
        Says for rows, with the multiple of each, whether they are acceptable.
    limit
        The largest cost.
    """

    def __init__(
        self, columns: Columns, cost: Any, accepts: Callable[[Columns, Any], Any], limit: int
    ) -> None:
        self.columns = columns
        self.cost = cost
        self.accepts = accepts
        self.limit = limit
        self.best: tuple[int, ...] | None = None

    def find(self) -> tuple[dict[str, int], int] | None:
        """Return the row and its multiple of least cost; of equal ones the first by its axes."""
        import numpy as np

        start, step = 0, FIRST_BISECTED
        while start < count(self.columns):
            which = np.arange(start, min(start + step, count(self.columns)))
            start, step = start + step, GROWTH * step
            self._bisect(which[self.cost[which] <= self.limit])
        if self.best is None:
            return None
        _, *values, times = self.best
        return dict(zip(self.columns, values, strict=True)), times

    def _bisect(self, which: Any) -> None:
        """Look for the least multiples of some rows that could be cheaper than the best."""
        import numpy as np

        which = which[~self._tried(which, np.ones_like(which))]
        high = self.limit // self.cost[which]  # at equal cost the first row by its axes is best
        which, high = which[high > 1], high[high > 1]
        accepted = self._tried(which, high)
        which, high = which[accepted], high[accepted]
        low = np.ones_like(high)
        while len(which):
            going = (high - low > 1) & ((low + 1) * self.cost[which] <= self.limit)
            which, low, high = which[going], low[going], high[going]
            middle = (low + high) // 2
            accepted = self._tried(which, middle)
            low, high = np.where(accepted, low, middle), np.where(accepted, middle, high)

    def _tried(self, which: Any, times: Any) -> Any:
        """Ask about multiples of rows; keep the cheapest, which limits those still to be asked."""
        chosen = rows(self.columns, which)
        accepted = self.accepts(chosen, times)
        for place in accepted.nonzero()[0].tolist():
            cost = int(self.cost[which[place]] * times[place])
            found = (cost, *row(chosen, place).values(), int(times[place]))
            self.best = found if self.best is None else min(self.best, found)
            self.limit = self.best[0]
        return accepted
