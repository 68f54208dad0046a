"""What became of the layouts of a space: refused by which rule, too large by how much."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter
from math import exp2
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsv3calc.studies.search.space import Columns

_BINS_OF_OCTAVE = 64
_BINS = 128 * _BINS_OF_OCTAVE
"""Of bytes too many; more than 2^128 are in the last one."""

_MOST_MISSES = 3


class Refusals:
    """Counts of the layouts of a space; each counts once.

    ``by_rule`` are those that a rule refused, ``over`` those that do not fit, ``unwanted`` those
    that conditions on results refused, by the name of the rule, ``fitting`` the others that were
    counted. ``pruned`` are those that were not counted because they could not be among the best.
    """

    def __init__(self, *rules: str) -> None:
        self.by_rule = dict.fromkeys(rules, 0)
        self.over = 0
        self.unwanted = Counter[str]()
        self.fitting = 0
        self.pruned = 0
        self.misses: list[tuple[float, dict[str, Any]]] = []
        self.nearest: dict[str, tuple[float, dict[str, Any]]] = {}
        self._bins: Any = None

    @property
    def refused(self) -> int:
        """Layouts that a rule refused, that do not fit, or that are not wanted."""
        return sum(self.by_rule.values()) + self.over + self.unwanted.total()

    @property
    def counted(self) -> int:
        """Layouts that no rule refused, and that were counted."""
        return self.over + self.unwanted.total() + self.fitting

    def refuse(self, name: str, number: int) -> None:
        """Count layouts that a rule refused."""
        self.by_rule[name] += number

    def note_nearest(self, limit: str, value: float, axes: dict[str, Any]) -> None:
        """Keep the layout whose time is the least, of those that fit."""
        if limit not in self.nearest or value < self.nearest[limit][0]:
            self.nearest[limit] = (value, axes)

    def refuse_memory(
        self, excess: Any, which: Any, columns: Columns, category: Mapping[str, Any]
    ) -> None:
        """Count layouts that take more than a device has.

        ``which`` are their rows of ``columns``, ``excess`` the bytes that each takes too many.
        """
        import numpy as np

        if not len(excess):
            return
        self.over += len(excess)
        places = np.minimum(np.log2(np.maximum(excess, 1)) * _BINS_OF_OCTAVE, _BINS - 1)
        counts = np.bincount(places.astype(np.intp), minlength=_BINS)
        self._bins = counts if self._bins is None else self._bins + counts
        most = float("inf")
        if len(excess) > _MOST_MISSES:
            most = np.partition(excess, _MOST_MISSES - 1)[_MOST_MISSES - 1]
        (closest,) = np.nonzero(excess <= most)
        for row in closest[np.argsort(excess[closest], kind="stable")][:_MOST_MISSES].tolist():
            axes = {name: int(each[which[row]]) for name, each in columns.items()}
            self.misses.append((float(excess[row]), {**axes, **category}))
        self.misses = sorted(self.misses, key=lambda each: each[0])[:_MOST_MISSES]

    @property
    def median_excess(self) -> float | None:
        """The bytes too many at the median of those that do not fit, to 1 %; None where all fit."""
        if self._bins is None:
            return None
        place = int((self._bins.cumsum() * 2 >= self.over).argmax())
        return exp2((place + 0.5) / _BINS_OF_OCTAVE)
