"""The points of a study: its front, or its first output over the one or two things that vary."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.output.pictures.chart import Axis, Chart, Curve, Point
from dsv3calc.output.pictures.heat_map import HeatMap
from dsv3calc.output.pictures.of_answer import as_svg
from dsv3calc.studies.public_lines.table import public_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dsv3calc.schema.study import Axis as StudyAxis
    from dsv3calc.schema.study import Study
    from dsv3calc.studies.sweep.points import Points

    Row = dict[str, Any]

MOST_POINTS = 5000
"""Points that a picture shows."""

_MOST_AXES = _PLANE = 2
_WIDE = 100
"""Values whose ratio is more than this stand on a logarithmic axis."""


def writer_of(
    points: Points, *, png: bool
) -> Callable[[str, list[str], Callable[[], Iterator[Row]]], None]:
    """Return what draws the rows of a study into a file.

    Raises
    ------
    UsageError
        If there are too many points, or too many things vary.
    """
    if points.count > MOST_POINTS:
        raise UsageError(
            f"a picture shows {MOST_POINTS:,} points at most, and the study has {points.count:,}",
            "-o out.csv",
        )
    varied = _varied(points)
    study = points.study
    if len(study.front) < _PLANE and len(varied) > _MOST_AXES:
        raise UsageError(
            f"a picture shows at most two axes, and the study has {len(varied)}",
            "name two outputs in front: of it, -o out.csv",
        )

    def write(path: str, columns: list[str], rows: Callable[[], Iterator[Row]]) -> None:  # noqa: ARG001 - as other formats
        found = [*rows()]
        text = as_svg(chart_of(study, varied, found))
        data = text.encode()
        if png:
            from dsv3calc.output.png_format import as_png

            data = as_png(text)
        with open(path, "wb") as file:
            file.write(data)

    return write


def _varied(points: Points) -> list[list[StudyAxis]]:
    """Return the axes of more than one value; zipped ones vary together."""
    several = zip(points.groups, points.sizes, strict=True)
    return [group for group, size in several if size > 1] or points.groups[:1]


def chart_of(study: Study, varied: list[list[StudyAxis]], rows: list[Row]) -> Chart | HeatMap:
    """Return the picture of a study's rows."""
    if len(study.front) >= _PLANE:
        return _front(study, varied, rows)
    group = varied[0]
    known = [row for row in rows if _is_number(row[next(iter(study.outputs))])]
    if len(varied) == 1 and known and all(_is_number(row[group[0].name]) for row in known):
        return _line(study, group[0], known)
    return _map(study, varied, rows)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _axis(study: Study, name: str, values: Sequence[float]) -> Axis:
    line = public_line(study.outputs[name])
    wide = bool(values) and min(values) > 0 and max(values) > _WIDE * min(values)
    return Axis(name, line.unit if line is not None else "1", logarithmic=wide)


def _front(study: Study, varied: list[list[StudyAxis]], rows: list[Row]) -> Chart:
    """Draw two outputs against each other, and a curve through each front of them."""
    across, up = study.front[:_PLANE]
    known = [row for row in rows if _is_number(row[across]) and _is_number(row[up])]
    names = [axis.name for group in varied for axis in group]
    points = [
        Point(
            row[across],
            row[up],
            _label(row, names) if row["front"] else "",
            "on the front" if row["front"] else "dominated by another point",
        )
        for row in known
    ]
    fronts: dict[tuple[Any, ...], list[tuple[float, float]]] = {}
    for row in known:
        if row["front"]:
            place = (row[across], row[up])
            fronts.setdefault(tuple(row[name] for name in study.within), []).append(place)
    several = {key: sorted(places) for key, places in fronts.items() if len(places) > 1}
    curves = [
        Curve(places, _words(study.within, key) or "front", number)
        for number, (key, places) in enumerate(several.items())
    ]
    return Chart(
        study.title,
        _axis(study, across, [point.x for point in points]),
        _axis(study, up, [point.y for point in points]),
        curves=curves,
        points=points,
        remarks=[_counted(rows, known), f"labels: {', '.join(names)}"],
    )


def _line(study: Study, axis: StudyAxis, rows: list[Row]) -> Chart:
    name = next(iter(study.outputs))
    places = [(row[axis.name], row[name]) for row in rows]
    xs, ys = ([place[i] for place in places] for i in range(_PLANE))
    wide = min(xs) > 0 and max(xs) > _WIDE * min(xs)
    return Chart(
        study.title,
        Axis(axis.name, "1", logarithmic=wide),
        _axis(study, name, ys),
        curves=[Curve(places, name)],
        points=[Point(x, y, "") for x, y in places],
    )


def _map(study: Study, varied: list[list[StudyAxis]], rows: list[Row]) -> HeatMap:
    """Draw the first output over what varies; the first axis goes up."""
    name = next(iter(study.outputs))
    *upper, across = [[axis.name for axis in group] for group in varied]
    up = upper[0] if upper else []
    columns = list(dict.fromkeys(_label(row, across) for row in rows))
    lines = list(dict.fromkeys(_label(row, up) for row in rows))
    values = {(_label(row, up), _label(row, across)): row[name] for row in rows}
    known = [value for value in values.values() if _is_number(value)]
    if not known:
        reason = next((f": {row['refused']}" for row in rows if row["refused"]), "")
        raise UsageError(
            f"no point of the study has a number to draw{reason}", "-o out.csv has every reason"
        )
    cells = [
        [value if _is_number(value := values.get((line, column))) else None for column in columns]
        for line in lines
    ]
    return HeatMap(
        study.title,
        (", ".join(across), columns),
        (", ".join(up), lines),
        _axis(study, name, known),
        cells,
        [_counted(rows, known)],
    )


def _counted(rows: Sequence[Row], known: Sequence[Any]) -> str:
    refused = len(rows) - len(known)
    return f"{len(rows):,} points" + (f", {refused:,} of them without numbers" if refused else "")


def _words(names: Sequence[str], values: Sequence[Any]) -> str:
    row = dict(zip(names, values, strict=True))
    return ", ".join(f"{name} {_label(row, [name])}" for name in names)


def _label(row: Row, names: Iterable[str]) -> str:
    values = [row[name] for name in names]
    return ", ".join(f"{v:,}" if _is_number(v) and v == int(v) else str(v) for v in values)
