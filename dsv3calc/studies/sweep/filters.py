"""The conditions of a study: on its axes, which cost no query, and on its outputs."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.numbers import quantity
from dsv3calc.studies.search.conditions import read_condition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dsv3calc.studies.search.conditions import Condition

    Row = dict[str, Any]


class Filters:
    """Conditions by their numbers.

    Parameters
    ----------
    axes
        The names of the axes.
    dimensions
        Those of axes and outputs that are quantities, by name.
    """

    def __init__(self, axes: Sequence[str], dimensions: Mapping[str, str]) -> None:
        self.axes = axes
        self.dimensions = dimensions
        self.before: dict[int, Condition] = {}
        self.after: dict[int, Condition] = {}

    def add(self, text: str, point: Row, outputs: Collection[str]) -> None:
        """Read a condition, and try it at a point where it needs axes alone.

        Raises
        ------
        UsageError
            If it is none, or compares a word with a number.
        """
        condition = read_condition(text, [*self.axes, *outputs], self.dimensions)
        number = len(self.before) + len(self.after)
        if {*condition.needs} <= {*self.axes}:
            self.before[number] = condition
            condition.holds(self._numbers(point))
        else:
            self.after[number] = condition

    def of_row(self, row: Row) -> int | None:
        """Return the number of the first condition on outputs that a row fails."""
        numbers = self._numbers(row)
        return next((each for each, it in self.after.items() if not it.holds(numbers)), None)

    def of_axes(self, points: Sequence[Row]) -> list[int | None]:
        """Return the number of the first condition on axes that each point fails.

        A condition is checked at once for all points that have the same words.
        """
        found: list[int | None] = [None] * len(points)
        for place, condition in self.before.items():
            alike: dict[tuple[Any, ...], list[int]] = {}
            needed = ({name: each[name] for name in condition.needs} for each in points)
            rows = [*map(self._numbers, needed)]
            for number, row in enumerate(rows):
                if found[number] is None:
                    alike.setdefault(tuple(map(_word, row.values())), []).append(number)
            for words, numbers in alike.items():
                values = {
                    name: [rows[number][name] for number in numbers] if word is None else word
                    for name, word in zip(condition.needs, words, strict=True)
                }
                for number, held in zip(numbers, condition.each(values, len(numbers)), strict=True):
                    if not held:
                        found[number] = place
        return found

    def _numbers(self, row: Row) -> Row:
        """Return what a condition sees of values: quantities in words as numbers."""
        return {name: self._measured(name, value) for name, value in row.items()}

    def _measured(self, name: str, value: Any) -> Any:
        dimension = self.dimensions.get(name)
        if dimension is None or not isinstance(value, str):
            return value
        try:
            return quantity.parse(value, dimension)
        except UsageError:
            return value  # the query of the point says what is wrong


def _word(value: Any) -> str | bool | None:
    return value if isinstance(value, str | bool) else None
