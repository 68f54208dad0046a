"""A map as SVG: one file that needs no other; a darker cell has more, also in grey."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.pictures.labels import EM
from dsv3calc.output.pictures.svg import INK, TYPE, document, text_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.output.pictures.heat_map import HeatMap

LIGHT, DARK = (247, 251, 255), (8, 48, 107)
"""The colours of the least and of the most: one hue, whose lightness alone changes."""

WIDTH, TOP = 860, 64
_HIGHEST, _LOWEST = 44, 14
_TURNING = 0.5
"""The shade from which on numbers are white."""


def drawn(chart: HeatMap) -> str:
    """Return a map as the text of an SVG file."""
    names = chart.up[1]
    left = 56 + EM * TYPE * max(map(len, names))
    wide = (WIDTH - 24 - left) / len(chart.across[1])
    tall = max(_LOWEST, min(_HIGHEST, 480 // len(names)))
    bottom = TOP + tall * len(names)
    height = bottom + 62 + 15 * len(chart.remarks)
    words = f"{chart.value.words}, darker is larger"
    middle = (TOP + bottom) / 2
    turn = f' transform="rotate(-90 18 {middle:.1f})"'
    body = [
        text_at(16, 24, chart.title, "start", 15),
        text_at(16, 46, words, "start"),
        *_cells(chart, left, wide, tall),
        *_columns(chart, left, wide, bottom),
        text_at((left + WIDTH - 24) / 2, bottom + 38, chart.across[0], "middle", 13),
        text_at(18, middle, chart.up[0], "middle", 13, turn),
    ]
    for number, name in enumerate(names):
        body.append(text_at(left - 8, TOP + tall * (number + 0.5) + 4, name, "end"))
    for number, remark in enumerate(chart.remarks):
        body.append(text_at(16, bottom + 62 + 15 * number, remark, "start", 11))
    return document(chart.title, [words, *_described(chart)], (WIDTH, height), body)


def _described(chart: HeatMap) -> Iterator[str]:
    for name, row in zip(chart.up[1], chart.cells, strict=True):
        for column, value in zip(chart.across[1], row, strict=True):
            text = "none" if value is None else format_quantity(value, chart.value.unit)
            yield f"{chart.up[0]} {name}, {chart.across[0]} {column}: {text}"


def _columns(chart: HeatMap, left: float, wide: float, bottom: float) -> Iterator[str]:
    """Name the columns, as many of them as find room."""
    every = 1 + int(EM * TYPE * (max(map(len, chart.across[1])) + 1) / wide)
    for number, name in enumerate(chart.across[1]):
        if number % every == 0:
            yield text_at(left + wide * (number + 0.5), bottom + 18, name, "middle")


def _cells(chart: HeatMap, left: float, wide: float, tall: float) -> Iterator[str]:
    for line, row in enumerate(chart.cells):
        for column, value in enumerate(row):
            x, y = left + wide * column, TOP + tall * line
            shade = 0.0 if value is None else chart.shade(value)
            colour = "#fff" if value is None else _colour(shade)
            yield (
                f'<path d="M{x:.1f} {y:.1f}h{wide:.1f}v{tall:.1f}h-{wide:.1f}z" fill="{colour}" '
                'stroke="#fff"/>'
            )
            text = "-" if value is None else format_quantity(value, chart.value.unit)
            if EM * 10 * len(text) + 4 < wide and tall > _LOWEST:
                ink = "#fff" if shade > _TURNING else INK
                place = (x + wide / 2, y + tall / 2 + 4)
                yield text_at(*place, text, "middle", 10, f' fill="{ink}"')


def _colour(shade: float) -> str:
    parts = (round(a + shade * (b - a)) for a, b in zip(LIGHT, DARK, strict=True))
    return f"#{''.join(f'{each:02x}' for each in parts)}"
