"""A chart drawn with characters, for a terminal: points are letters, which a list explains."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dsv3calc.output.pictures.chart import Chart, Point, Scale

ROWS = 18
LEAST_COLUMNS = 24
_LETTERS = string.ascii_lowercase + string.ascii_uppercase + string.digits
_DASHES = "·-:="
"""What curves are drawn with, by their dash."""


def drawn(chart: Chart, width: int) -> list[str]:
    """Return a chart as lines of text that are no wider than ``width`` where that is possible."""
    across, up = chart.scales()
    labels = {_row(up.place(value)): up.tick_text(value) for value in up.ticks}
    margin = max(map(len, labels.values())) + 1
    columns = max(LEAST_COLUMNS, width - margin - 2)
    grid = [[" "] * columns for _ in range(ROWS)]
    _draw_curves(chart, across, up, grid)
    listed = _draw_points(chart, across, up, grid)
    lines = [chart.title, chart.y.words]
    for number, row in enumerate(grid):
        lines.append(f"{labels.get(number, ''):>{margin}}│{''.join(row)}".rstrip())
    lines.append(f"{' ' * margin}└{'─' * columns}")
    lines.append(" " * (margin + 1) + ticks_below(across, columns))
    lines.append(f"{' ' * (margin + 1)}{chart.x.words}")
    lines += [f"  {_DASHES[curve.dash % len(_DASHES)] * 3} {curve.label}" for curve in chart.curves]
    return [*lines, *_columns(listed, width), *chart.remarks]


def _row(share: float) -> int:
    return round((1 - share) * (ROWS - 1))


def _draw_curves(chart: Chart, across: Scale, up: Scale, grid: list[list[str]]) -> None:
    last = len(grid[0]) - 1
    for curve in chart.curves:
        sign = _DASHES[curve.dash % len(_DASHES)]
        places = [(across.place(x) * last, up.place(y)) for x, y in curve.points]
        for (x, y), (to_x, to_y) in itertools.pairwise(places):
            steps = max(round(abs(to_x - x)), round(abs(to_y - y) * ROWS), 1)
            for number in range(steps + 1):
                part = number / steps
                column = round(x + part * (to_x - x))
                grid[_row(y + part * (to_y - y))][column] = sign


def _draw_points(
    chart: Chart, across: Scale, up: Scale, grid: list[list[str]]
) -> dict[str, list[str]]:
    """Put letters where points are; points at one place share theirs."""
    last = len(grid[0]) - 1
    letters: dict[tuple[int, int], str] = {}
    listed: dict[str, list[str]] = {}
    for point in chart.points:
        place = (_row(up.place(point.y)), round(across.place(point.x) * last))
        letter = letters.setdefault(place, _LETTERS[len(letters) % len(_LETTERS)])
        grid[place[0]][place[1]] = letter
        if _words(point) not in listed.setdefault(letter, []):
            listed[letter].append(_words(point))
    return listed


def _words(point: Point) -> str:
    return f"{point.label} ({point.kind})" if point.kind else point.label


def ticks_below(across: Scale, columns: int) -> str:
    """Write the values of ticks below their places, those that find room."""
    row = ""
    for value in across.ticks:
        text = across.tick_text(value)
        place = min(round(across.place(value) * (columns - 1)), columns - len(text))
        if place >= len(row) + bool(row):
            row = row.ljust(place) + text
    return row


def _columns(listed: dict[str, list[str]], width: int) -> list[str]:
    """List the letters with what they stand for, side by side where there is room."""
    cells = [f"  {letter} {', '.join(words)}" for letter, words in listed.items()]
    if not cells:
        return []
    size = max(map(len, cells)) + 2
    number = max(1, width // size)
    return [
        "".join(cell.ljust(size) for cell in cells[start : start + number]).rstrip()
        for start in range(0, len(cells), number)
    ]
