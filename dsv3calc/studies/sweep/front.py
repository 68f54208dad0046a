"""The front of a study: the points that no other one beats or equals in every output of it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.studies.search.best import Found, Front

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsv3calc.studies.sweep.points import Points, Row


def mark_front(
    points: Points, rows: Callable[[], Iterator[Row]]
) -> tuple[list[str], Callable[[], Iterator[Row]]]:
    """Return the columns of a study and its rows, with one more that marks the front.

    The rows are gone through twice; the fronts alone are held in memory.
    """
    names, within = points.study.front, points.study.within
    fronts: dict[tuple[Any, ...], Front] = {}
    for number, row in enumerate(rows()):
        values = [row[name] for name in names]
        if all(isinstance(value, int | float) for value in values):
            front = fronts.setdefault(tuple(row[name] for name in within), Front())
            front.add([Found(tuple(map(float, values)), (number,), {})])
    chosen = {each.order[0] for front in fronts.values() for each in front.found}

    def marked() -> Iterator[dict[str, Any]]:
        for number, row in enumerate(rows()):
            yield {**row, "front": number in chosen}

    return [*points.columns, "front"], marked
