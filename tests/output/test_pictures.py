"""Pictures: everything inside the frame, no label over another, the same chart in characters."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.api import answer
from dsv3calc.output.pictures import characters, svg
from dsv3calc.output.pictures.chart import Axis, Chart, Curve, Point, Scale
from dsv3calc.output.pictures.labels import Box, place_labels, text_box
from dsv3calc.output.pictures.of_answer import picture_of

SPACE = "{http://www.w3.org/2000/svg}"
values = st.floats(1e-3, 1e18)
words = st.text("abcdefgh._", min_size=1, max_size=24)
points = st.lists(
    st.tuples(values, values, words, st.sampled_from(["memory", "compute"])), max_size=30
)


def chart_of(drawn, *, curves=()):
    return Chart(
        "A chart <of> a test & more",
        Axis("intensity", "FLOP/B", logarithmic=True),
        Axis("rate", "FLOP/s", logarithmic=True),
        curves=curves,
        points=[Point(*each) for each in drawn],
        remarks=["a remark"],
    )


@given(drawn=points)
def test_labels_meet_nothing(drawn):
    chart = chart_of(drawn)
    across, up = chart.scales()
    places = [
        (
            svg.AREA.left + across.place(point.x) * (svg.AREA.right - svg.AREA.left),
            svg.AREA.bottom - up.place(point.y) * (svg.AREA.bottom - svg.AREA.top),
            point.label,
        )
        for point in chart.points
    ]
    boxes = [box for box in place_labels(places, svg.AREA, svg.TYPE) if box is not None]
    for number, box in enumerate(boxes):
        assert svg.AREA.holds(box)
        assert not any(box.meets(other) for other in boxes[number + 1 :])
        assert not any(box.meets(Box(x - 4, y - 4, x + 4, y + 4)) for x, y, _ in places)


@given(drawn=points)
def test_every_label_is_shown_once(drawn):
    roof = Curve([(1.0, 1e12), (1e3, 1e15), (1e4, 1e15)], "a peak")
    root = ET.fromstring(svg.drawn(chart_of(drawn, curves=[roof])))  # noqa: S314 - our own output
    shown = [each.text for each in root.iter(f"{SPACE}text")]
    for _, _, label, kind in drawn:
        assert label in shown
        assert shown.count(kind) == 1
    assert {"a peak", "intensity [FLOP/B]", "rate [FLOP/s]", "a remark"} <= set(shown)


def test_markers_and_lines_differ_without_colour():
    kinds = ["compute", "memory", "launch"]
    drawn = [(10.0**number, 1e12, kind, kind) for number, kind in enumerate(kinds)]
    curves = [Curve([(1, 1e12), (10, 1e13)], "solid"), Curve([(1, 1e11), (10, 1e12)], "dashed", 1)]
    chart = chart_of(drawn, curves=curves)
    assert len({chart.marker(kind) for kind in kinds}) == len(kinds)
    text = svg.drawn(chart)
    assert text.count("stroke-dasharray") == 2  # the curve, and its line in the legend
    assert "<script" not in text
    assert "href" not in text


@given(st.lists(values, min_size=1, max_size=9), st.booleans())
def test_ticks_enclose_the_values(found, logarithmic):
    scale = Scale(Axis("x", "1", logarithmic=logarithmic), found)
    assert all(-1e-9 <= scale.place(value) <= 1 + 1e-9 for value in found)
    assert 2 <= len(scale.ticks) <= 12
    assert scale.ticks == sorted(scale.ticks)


def test_ticks_are_round_below_one():
    scale = Scale(Axis("x", "s"), [0.0, 0.9])
    assert [scale.tick_text(tick) for tick in scale.ticks[1:4]] == ["200 ms", "400 ms", "600 ms"]


def test_a_roof_rises_to_its_ridge_where_all_kernels_are_beyond_it():
    query = "time llama-3.1-8b --hardware h100 --phase prefill"
    (curve,) = picture_of(answer(query)).curves
    assert curve.points[0][0] < curve.points[1][0] < curve.points[2][0]
    assert curve.points[0][1] < curve.points[1][1] == curve.points[2][1]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_characters_keep_the_width(width):
    drawn = [
        (10.0**number, 10.0 ** (10 + number), f"kernel{number}", "memory") for number in range(4)
    ]
    lines = characters.drawn(chart_of(drawn), width)
    assert max(map(len, lines)) <= width
    for number in range(4):
        letter = next(re.match(r"  (\w) ", line)[1] for line in lines if f"kernel{number}" in line)
        assert any(letter in line.partition("│")[2] for line in lines)


def test_a_text_box_is_as_long_as_its_text():
    assert text_box(0, 0, "ab", 10).right == 12
