"""Flows that a hash puts on paths of equal cost: the fullest path, counted over all cases."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 2**16
"""Flows times paths up to which cases are counted."""

_NEGLIGIBLE = 1e-15
"""Probability of a still fuller path at which counting ends."""


def fullest_path(flows: int, paths: int) -> Iterator[tuple[int, float]]:
    """Yield each number of flows that the fullest path can have, with its probability.

    Every flow chooses a path uniformly, independently of the others: a multinomial distribution.
    With at most k flows on every path, the next flow breaks the limit where it meets k others, and
    all other paths share the rest within the limit. That gives the chance for one more flow from
    those before it, without a sum over cases.

    >>> [(load, round(chance * 27)) for load, chance in fullest_path(3, 3)]
    [(1, 6), (2, 18), (3, 3)]
    """
    below = 0.0
    for limit in range(-(-flows // paths), flows + 1):
        within = _within(flows, paths, limit)
        yield limit, within - below
        below = within
        if 1 - within < _NEGLIGIBLE:
            return


def _within(flows: int, paths: int, limit: int) -> float:
    """Return the chance that no path has more than ``limit`` flows."""
    before = [1.0] + [0.0] * flows
    for count in range(1, paths + 1):
        chances = [1.0] * (limit + 1)
        here, other = 1 / count, (count - 1) / count
        meets = here**limit  # that ``limit`` given flows chose the path of the next, and no other
        for placed in range(limit, flows):
            chances.append(max(chances[placed] - meets * before[placed - limit], 0.0))
            meets *= (placed + 1) / (placed + 1 - limit) * other
        before = chances[: flows + 1]
    return before[flows]
