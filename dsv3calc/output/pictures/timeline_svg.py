"""A timeline as SVG: one file that needs no other, readable in grey and by the colour-blind."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.pictures.svg import FAINT, INK, TYPE, text_at
from dsv3calc.reading.escaping import html

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.output.pictures.chart import Scale
    from dsv3calc.output.pictures.timeline import Lane, Timeline

WIDTH, LEFT, RIGHT = 1280, 70, 1190
TOP = 70
COLOURS = ("#56B4E9", "#0072B2", "#D55E00", "#F0E442", "#333333")
"""Colours by kind that stay apart for the colour-blind and in grey: each has its own brightness."""

GAP = 0.4
"""White between bars that follow each other."""


def drawn(timeline: Timeline) -> str:
    """Return a timeline as the text of an SVG file."""
    scale = timeline.scale()
    lane = max(10, min(26, 640 // max(len(timeline.lanes), 1)))
    bottom = TOP + lane * len(timeline.lanes)
    height = bottom + 54 + 15 * len(timeline.remarks)
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" font-family="sans-serif" '
            f'font-size="{TYPE}" fill="{INK}">'
        ),
        f"<title>{html(timeline.title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        text_at(LEFT, 24, timeline.title, "start", 15),
        *_legend(timeline),
        *_axis(timeline, scale, bottom),
    ]
    for number, each in enumerate(timeline.lanes):
        lines += _lane(timeline, each, scale, TOP + number * lane, lane)
    for number, remark in enumerate(timeline.remarks):
        lines.append(text_at(LEFT, height - 8 - 15 * number, remark, "start", 11))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _across(value: float, scale: Scale) -> float:
    return LEFT + scale.place(value) * (RIGHT - LEFT)


def _legend(timeline: Timeline) -> Iterator[str]:
    x = float(LEFT)
    for kind in timeline.used():
        colour = COLOURS[timeline.kinds.index(kind) % len(COLOURS)]
        yield f'<path d="M{x:.1f} 40h14v12h-14z" fill="{colour}" stroke="{INK}" stroke-width=".5"/>'
        yield text_at(x + 20, 50, kind.label, "start")
        x += 34 + 6.6 * len(kind.label)


def _axis(timeline: Timeline, scale: Scale, bottom: float) -> Iterator[str]:
    for value in scale.ticks:
        x = _across(value, scale)
        yield f'<path d="M{x:.1f} {TOP}V{bottom + 5}" stroke="{FAINT}" stroke-width=".6"/>'
        yield text_at(x, bottom + 18, scale.tick_text(value), "middle")
    yield f'<path d="M{LEFT} {bottom}H{RIGHT}" stroke="{INK}"/>'
    words = f"{timeline.axis.title} [{timeline.axis.unit}]"
    yield text_at((LEFT + RIGHT) / 2, bottom + 36, words, "middle", 13)


def _lane(timeline: Timeline, lane: Lane, scale: Scale, top: float, height: float) -> Iterator[str]:
    """Draw the bars of a lane: one path for each kind."""
    size = min(TYPE, height)
    yield text_at(LEFT - 8, top + height / 2 + 4, lane.label, "end", size)
    yield text_at(RIGHT + 8, top + height / 2 + 4, lane.remark, "start", size)
    tall = height - 3
    for number, kind in enumerate(timeline.kinds):
        parts = []
        for bar in lane.bars:
            if bar.kind == kind:
                start, end = _across(bar.start, scale), _across(bar.end, scale)
                wide = max(end - start - GAP, 0.2)
                parts.append(f"M{start:.1f} {top + 1:.0f}h{wide:.1f}v{tall:.0f}h-{wide:.1f}z")
        if parts:
            yield f'<path d="{"".join(parts)}" fill="{COLOURS[number % len(COLOURS)]}"/>'
