"""Lanes as SVG: one file that needs no other, readable in grey and by the colour-blind."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.pictures.labels import EM
from dsv3calc.output.pictures.svg import FAINT, INK, TYPE, document, text_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.output.pictures.chart import Scale
    from dsv3calc.output.pictures.lanes import Bar, Lane, Lanes

WIDTH, WIDE = 860, 1280
MANY = 40
"""Bars of a lane from which on a picture is wide, and bars have no numbers."""

TOP, LINE = 70, 15
COLOURS = ("#7CC4EE", "#005F95", "#E0731F", "#F0E442", "#222222")
"""Colours by kind that stay apart for the colour-blind and in grey: each has its own brightness."""

DARK = ("#005F95", "#222222")
"""Those that numbers stand on in white."""

GAP = 0.4
"""White between bars that follow each other."""


class Frame(NamedTuple):
    """Where the lanes stand: their edges, the height of one, and the scale of the axis."""

    left: float
    right: float
    top: float
    lane: float
    bottom: float
    scale: Scale

    def across(self, value: float) -> float:
        """Return where a value of the axis stands."""
        return self.left + self.scale.place(value) * (self.right - self.left)


def frame_of(lanes: Lanes) -> Frame:
    """Return the frame of lanes, with room for their labels and remarks."""
    width = WIDE if _many(lanes) else WIDTH
    lane = max(10, min(26, 640 // max(len(lanes.lanes), 1)))
    size = EM * min(TYPE, lane)
    left = 24 + size * max((len(each.label) for each in lanes.lanes), default=0)
    right = width - 24 - size * max((len(each.remark) for each in lanes.lanes), default=0)
    top = TOP + LINE * len(lanes.marks)
    bottom = top + lane * len(lanes.lanes)
    return Frame(left, max(right, left + 200), top, lane, bottom, lanes.scale())


def drawn(lanes: Lanes) -> str:
    """Return lanes as the text of an SVG file."""
    frame = frame_of(lanes)
    height = int(frame.bottom + 54 + LINE * len(lanes.remarks))
    body = [
        text_at(16, 24, lanes.title, "start", LINE),
        *_legend(lanes, frame.left),
        *_axis(lanes, frame),
    ]
    for number, each in enumerate(lanes.lanes):
        body += _lane(lanes, each, frame, frame.top + number * frame.lane)
    body += _marks(lanes, frame)
    for number, remark in enumerate(reversed(lanes.remarks)):
        body.append(text_at(16, height - 8 - LINE * number, remark, "start", 11))
    width = WIDE if _many(lanes) else WIDTH
    return document(lanes.title, _described(lanes), (width, height), body)


def _many(lanes: Lanes) -> bool:
    return any(len(lane.bars) > MANY for lane in lanes.lanes)


def _described(lanes: Lanes) -> list[str]:
    """Say in words what the picture shows: each lane with its lengths, where those are few."""
    unit = lanes.axis.unit
    told = [f"{mark.label}: {format_quantity(mark.value, unit)}" for mark in lanes.marks]
    for lane in lanes.lanes:
        lengths = [] if _many(lanes) else [bar for bar in lane.bars if bar.end > bar.start]
        words = [f"{bar.kind.label} {_length(bar, unit)}" for bar in lengths]
        told.append(f"{lane.label}: {', '.join([*words, lane.remark])}")
    return told


def _length(bar: Bar, unit: str) -> str:
    length = bar.end - bar.start
    return format_quantity(int(length) if length == int(length) else length, unit)


def _legend(lanes: Lanes, x: float) -> Iterator[str]:
    for kind in lanes.used():
        colour = COLOURS[lanes.kinds.index(kind) % len(COLOURS)]
        yield f'<path d="M{x:.1f} 40h14v12h-14z" fill="{colour}" stroke="{INK}" stroke-width=".5"/>'
        yield text_at(x + 20, 50, kind.label, "start")
        x += 34 + EM * TYPE * len(kind.label)


def _axis(lanes: Lanes, frame: Frame) -> Iterator[str]:
    for value in frame.scale.ticks:
        x = frame.across(value)
        yield (
            f'<path d="M{x:.1f} {frame.top}V{frame.bottom + 5}" stroke="{FAINT}" '
            'stroke-width=".6"/>'
        )
        yield text_at(x, frame.bottom + 18, frame.scale.tick_text(value), "middle")
    yield f'<path d="M{frame.left:.1f} {frame.bottom}H{frame.right:.1f}" stroke="{INK}"/>'
    words = lanes.axis.words
    yield text_at((frame.left + frame.right) / 2, frame.bottom + 36, words, "middle", 13)


def _lane(lanes: Lanes, lane: Lane, frame: Frame, top: float) -> Iterator[str]:
    """Draw the bars of a lane: one path for each kind."""
    size, many = min(TYPE, frame.lane), _many(lanes)
    middle = top + frame.lane / 2 + 4
    yield text_at(frame.left - 8, middle, lane.label, "end", size)
    yield text_at(frame.right + 8, middle, lane.remark, "start", size)
    tall = frame.lane - 3
    for number, kind in enumerate(lanes.kinds):
        colour = COLOURS[number % len(COLOURS)]
        parts, words = [], []
        for bar in lane.bars:
            if bar.kind == kind and bar.end > bar.start:
                start, end = frame.across(bar.start), frame.across(bar.end)
                wide = max(end - start - GAP, 0.2)
                parts.append(f"M{start:.1f} {top + 1:.0f}h{wide:.1f}v{tall:.0f}h-{wide:.1f}z")
                text = "" if many else _length(bar, lanes.axis.unit)
                if text and wide > EM * 10 * len(text) + 4:
                    ink = ' fill="#fff"' if colour in DARK else ""
                    words.append(text_at((start + end) / 2, middle - 0.5, text, "middle", 10, ink))
        if parts:
            yield f'<path d="{"".join(parts)}" fill="{colour}"/>'
        yield from words


def _marks(lanes: Lanes, frame: Frame) -> Iterator[str]:
    """Draw the marks, each with its label on a line of its own above the lanes."""
    for number, mark in enumerate(lanes.marks):
        x, y = frame.across(mark.value), frame.top - 4 - LINE * number
        yield (
            f'<path d="M{x:.1f} {y + 2:.1f}V{frame.bottom}" stroke="{INK}" stroke-width="1.6" '
            'stroke-dasharray="6 3"/>'
        )
        words = f"{mark.label}: {format_quantity(mark.value, lanes.axis.unit)}"
        half = EM * TYPE * len(words) / 2
        centre = min(max(x, frame.left + half), max(frame.right, x) - half + 20)
        yield text_at(centre, y, words, "middle")
