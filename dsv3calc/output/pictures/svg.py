"""A chart as SVG: one file that needs no other, readable in grey and by the colour-blind."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.pictures.labels import EM, Box, place_labels
from dsv3calc.reading.escaping import html

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.output.pictures.chart import Chart, Scale

WIDTH, HEIGHT = 860, 560
AREA = Box(112, 46, 640, 490)
"""Where the curves and points of a chart stand."""

TYPE = 12
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
"""Colours that stay apart for the colour-blind (Okabe and Ito), by kind of point."""

DASHES = ("", "8 4", "2 3", "10 3 2 3")
FONTS = "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
"""Fonts by name: what turns a file into PNG may know no other."""

INK, FAINT = "#222", "#bbb"


MOST_TOLD = 60
"""Parts of a picture that its description lists."""


def document(title: str, described: Sequence[str], size: tuple[int, int], body: list[str]) -> str:
    """Return an SVG file: named and described for those who do not see it, on white."""
    width, height = size
    more = len(described) - MOST_TOLD
    told = [*described[:MOST_TOLD], *([f"{more} more"] if more > 0 else [])]
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" font-family="{FONTS}" '
            f'font-size="{TYPE}" fill="{INK}">'
        ),
        f"<title>{html(title)}</title>",
        f"<desc>{html('; '.join(told))}</desc>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    return "\n".join([*lines, *body, "</svg>"]) + "\n"


def drawn(chart: Chart) -> str:
    """Return a chart as the text of an SVG file."""
    across, up = chart.scales()
    body = [
        text_at(AREA.left, 26, chart.title, "start", 15),
        *_axes(chart, across, up),
        *_curves(chart, across, up),
        *_points(chart, across, up),
    ]
    for number, remark in enumerate(reversed(chart.remarks)):
        body.append(text_at(AREA.left, HEIGHT - 8 - 15 * number, remark, "start", 11))
    return document(chart.title, _described(chart), (WIDTH, HEIGHT), body)


def _described(chart: Chart) -> list[str]:
    """Say in words what the picture shows: its curves, and each point with its place."""
    told = [curve.label for curve in chart.curves]
    for point in chart.points:
        x, y = (format_quantity(v, a.unit) for v, a in ((point.x, chart.x), (point.y, chart.y)))
        kind = f", {point.kind}" if point.kind else ""
        label = f"{point.label}: " if point.label else ""
        told.append(f"{label}{chart.x.title} {x}, {chart.y.title} {y}{kind}")
    return told


def _place(x: float, y: float, across: Scale, up: Scale) -> tuple[float, float]:
    return (
        AREA.left + across.place(x) * (AREA.right - AREA.left),
        AREA.bottom - up.place(y) * (AREA.bottom - AREA.top),
    )


def text_at(x: float, y: float, text: str, anchor: str, size: float = TYPE, turn: str = "") -> str:
    """Return a text at a place, which it begins at, ends at or has in its middle."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
        f"{turn}>{html(text)}</text>"
    )


def _axes(chart: Chart, across: Scale, up: Scale) -> Iterator[str]:
    for value in across.ticks:
        x, _ = _place(value, up.low, across, up)
        yield f'<path d="M{x:.1f} {AREA.top}V{AREA.bottom}" stroke="{FAINT}" stroke-width=".6"/>'
        yield text_at(x, AREA.bottom + 18, across.tick_text(value), "middle")
    for value in up.ticks:
        _, y = _place(across.low, value, across, up)
        yield f'<path d="M{AREA.left} {y:.1f}H{AREA.right}" stroke="{FAINT}" stroke-width=".6"/>'
        yield text_at(AREA.left - 8, y + 4, up.tick_text(value), "end")
    yield (
        f'<path d="M{AREA.left} {AREA.top}V{AREA.bottom}H{AREA.right}" fill="none" stroke="{INK}"/>'
    )
    middle = (AREA.left + AREA.right) / 2
    yield text_at(middle, AREA.bottom + 38, chart.x.words, "middle", 13)
    height = (AREA.top + AREA.bottom) / 2
    turn = f' transform="rotate(-90 18 {height:.1f})"'
    yield text_at(18, height, chart.y.words, "middle", 13, turn)


def _curves(chart: Chart, across: Scale, up: Scale) -> Iterator[str]:
    for curve in chart.curves:
        places = [_place(x, y, across, up) for x, y in curve.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dash = DASHES[curve.dash % len(DASHES)]
        style = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'<polyline points="{path}" fill="none" stroke="{INK}" stroke-width="1.6"{style}/>'


def _curve_boxes(chart: Chart, across: Scale, up: Scale) -> list[Box]:
    """Return boxes along the curves, which labels stay clear of."""
    found = []
    for curve in chart.curves:
        places = [_place(x, y, across, up) for x, y in curve.points]
        for (x, y), (to_x, to_y) in itertools.pairwise(places):
            steps = max(1, int(max(abs(to_x - x), abs(to_y - y)) / 6))
            for number in range(steps + 1):
                part = number / steps
                here, there = x + part * (to_x - x), y + part * (to_y - y)
                found.append(Box(here - 3, there - 3, here + 3, there + 3))
    return found


def _points(chart: Chart, across: Scale, up: Scale) -> Iterator[str]:
    """Draw points with their labels; a legend beside has the curves, kinds and labels left over."""
    places = [(*_place(each.x, each.y, across, up), each.label) for each in chart.points]
    boxes = place_labels(places, AREA, TYPE, _curve_boxes(chart, across, up))
    unplaced: list[tuple[str, str]] = []
    for point, (x, y, label), box in zip(chart.points, places, boxes, strict=True):
        colour = COLOURS[chart.kinds.index(point.kind) % len(COLOURS)]
        yield _marker(chart.marker(point.kind), x, y, colour)
        if not label:
            continue
        if box is None:
            unplaced.append((str(len(unplaced) + 1), label))
            yield text_at(x, y + 3, unplaced[-1][0], "middle", 8)
            continue
        middle = (box.top + box.bottom) / 2
        end = box.left - 1 if box.left > x else box.right + 1
        if abs(end - x) > 12 or abs(middle - y) > 12:  # noqa: PLR2004 - away from its point
            near = end if not box.left <= x <= box.right else x
            edge = middle if near == end else (box.top if box.top > y else box.bottom)
            yield (
                f'<path d="M{x:.1f} {y:.1f}L{near:.1f} {edge:.1f}" stroke="{FAINT}" '
                'stroke-width=".8"/>'
            )
        yield text_at(box.left, middle + 4, label, "start")
    yield from _legend(chart, unplaced)


def _legend(chart: Chart, unplaced: list[tuple[str, str]]) -> Iterator[str]:
    left, line = AREA.right + 18, AREA.top + 6.0
    for curve in chart.curves:
        dash = DASHES[curve.dash % len(DASHES)]
        style = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'<path d="M{left} {line:.1f}h24" stroke="{INK}" stroke-width="1.6"{style}/>'
        yield from _wrapped(left + 30, line, curve.label)
        line += 18
    for kind in chart.kinds:
        if kind:
            colour = COLOURS[chart.kinds.index(kind) % len(COLOURS)]
            yield _marker(chart.marker(kind), left + 12, line, colour)
            yield from _wrapped(left + 30, line, kind)
            line += 18
    for number, label in unplaced:
        yield text_at(left + 24, line + 4, number, "end")
        yield from _wrapped(left + 30, line, label)
        line += 18


def _wrapped(x: float, y: float, text: str) -> Iterator[str]:
    """Write a text that ends at the edge of the picture, smaller where it would not fit."""
    room = WIDTH - x - 4
    size = min(TYPE, room / (EM * max(len(text), 1)))
    yield text_at(x, y + 4, text, "start", round(size, 1))


def _marker(shape: str, x: float, y: float, colour: str) -> str:
    style = f'fill="{colour}" stroke="#fff" stroke-width=".8"'
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" {style}/>'
    paths = {
        "square": f"M{x - 4:.1f} {y - 4:.1f}h8v8h-8z",
        "triangle": f"M{x:.1f} {y - 5:.1f}l5 9h-10z",
        "diamond": f"M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
    }
    if shape in paths:
        return f'<path d="{paths[shape]}" {style}/>'
    return (
        f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8" stroke="{colour}" stroke-width="2" '
        'fill="none"/>'
    )
