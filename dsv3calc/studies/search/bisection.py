"""The largest number that is acceptable, or the least, of each of many rows at once."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Accepts = Callable[[Any, Any], Any]

_AT_ONCE = 2048
"""Numbers that are tried in a turn, over all rows: they take little longer than one."""


def largest(accepts: Accepts, low: Any, high: Any) -> Any:
    """Return the largest accepted number of each row, up to ``high``; ``low`` counts as accepted.

    Larger numbers are accepted no sooner. ``accepts`` says of rows whether a number of each is
    accepted. It takes many rows nearly as fast as few, so a turn tries several numbers of a row.
    """
    import numpy as np

    low, high = low.copy(), np.maximum(low, high) + 1
    while True:
        (which,) = np.nonzero(high - low > 1)
        if not len(which):
            return low
        number = max(1, _AT_ONCE // len(which))
        first, last = low[which, None], high[which, None]
        tried = first + (last - first) * np.arange(1, number + 1) // (number + 1)
        tried = np.clip(tried, first + 1, last - 1)
        good = accepts(np.repeat(which, number), tried.ravel()).reshape(tried.shape)
        accepted = np.where(good.all(axis=1), number, good.argmin(axis=1))
        ends = np.concatenate([first, tried, last], axis=1)
        places = np.arange(len(which))
        low[which], high[which] = ends[places, accepted], ends[places, accepted + 1]


def least(accepts: Accepts, low: Any, high: Any) -> Any:
    """Return the least accepted number of each row from ``low`` to ``high``, or ``high`` plus 1.

    Larger numbers are accepted no later.
    """
    return largest(lambda which, number: ~accepts(which, number), low - 1, high) + 1
