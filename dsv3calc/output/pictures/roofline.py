"""The roofline with the kernels of a pass on it: intensity against the rate that is reached."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.pictures.chart import Axis, Chart, Curve, Point
from dsv3calc.output.views.time import kernel_rows, peaks_of

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

_BEYOND = 4
"""The roofs are drawn this much further than the points and the ridges."""


def chart_of(answer: Answer) -> Chart:
    """Return the chart of an answer of ``time``."""
    column = answer.columns[0]
    rows = [row for row in kernel_rows(column.ledger) if "intensity" in row.lines]
    bandwidth, peaks = peaks_of(column.ledger)
    points, known = [], set()
    for row in rows:
        flops, floor = row.value("flops"), row.value("floor")
        point = Point(row.value("intensity"), flops / floor, row.kernel, row.wall)
        if point not in known:
            known.add(point)
            points.append(point)
    ridges = [peak / bandwidth for peak in peaks.values()]
    low = min([point.x for point in points] + ridges, default=1) / _BEYOND
    high = max([point.x for point in points], default=1) * _BEYOND
    high = max(high, *(_BEYOND * ridge for ridge in ridges), low)
    curves = [
        Curve(
            [(low, low * bandwidth), (peak / bandwidth, peak), (high, peak)],
            f"{dtype} peak and memory",
            number,
        )
        for number, (dtype, peak) in enumerate(peaks.items())
    ]
    hardware = answer.query["hardware"]
    return Chart(
        f"{column.title}: {answer.query['phase']} on {hardware}, one GPU",
        Axis("intensity", "FLOP/B", logarithmic=True),
        Axis("rate of a kernel at measured rates", "FLOP/s", logarithmic=True),
        curves=curves,
        points=points,
        remarks=["a point is a kernel at its floor; the lines are the peaks and the bandwidth"],
    )
