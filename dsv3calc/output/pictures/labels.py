"""Where the labels of points stand: beside them, inside the picture, none over another."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EM = 0.6
"""Width of a letter over the size of the type, at most for most letters."""

_DISTANCES = (8, 16, 28, 44, 64, 88, 116)
_DIRECTIONS = 12


class Box(NamedTuple):
    """A rectangle: its corners."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Tell whether two rectangles share any area."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: Box) -> bool:
        """Tell whether another rectangle lies inside."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )


def text_box(x: float, y: float, text: str, size: float) -> Box:
    """Return what a text takes up that begins at ``x`` with its middle at ``y``."""
    return Box(x, y - 0.6 * size, x + EM * size * len(text), y + 0.6 * size)


def place_labels(
    points: Sequence[tuple[float, float, str]], area: Box, size: float, taken: Sequence[Box] = ()
) -> list[Box | None]:
    """Give each point's label a place that meets no point, no other label and nothing ``taken``.

    A label that finds none is None: it is listed beside the picture instead. An empty one needs
    none.
    """
    marks = [Box(x - 5, y - 5, x + 5, y + 5) for x, y, _ in points]
    occupied = [*taken, *marks]
    found: list[Box | None] = []
    for x, y, text in points:
        if not text:
            found.append(None)
            continue
        place = next(
            (
                box
                for box in _around(x, y, text, size)
                if area.holds(box) and not any(box.meets(other) for other in occupied)
            ),
            None,
        )
        if place is not None:
            occupied.append(place)
        found.append(place)
    return found


def _around(x: float, y: float, text: str, size: float) -> Iterator[Box]:
    """Yield places for a label around a point, the nearest first."""
    width = EM * size * len(text)
    for distance in _DISTANCES:
        for number in range(_DIRECTIONS):
            angle = 2 * math.pi * number / _DIRECTIONS
            across, down = math.cos(angle), math.sin(angle)
            left = x + distance * across + min(0.0, (across - 1) / 2) * width
            yield text_box(left, y + distance * down, text, size)
