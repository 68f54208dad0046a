"""Fitting an entry: the least mean of the unsigned logarithms of predicted over measured times.

A simplex (Nelder and Mead) searches the logarithms of the parameters, from one start, and begins
again from where it ended until that gains nothing. A last search among numbers of three digits
makes the result the same on every machine: these digits are what is written down.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any

from dsv3calc.studies.measurements.forms import FORMS, peaks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.studies.measurements.cases import Case
    from dsv3calc.studies.measurements.forms import Form

DIGITS = 3
MOST_STEPS = 2000
ROUNDS = 4
GAIN = 1e-7
"""What the mean unsigned logarithm must fall by for a search to go on."""
NEEDED = 2e-4
"""What an optional parameter must lower it by to be kept."""


class Columns:
    """Cases of one entry as arrays."""

    def __init__(self, cases: Sequence[Case]) -> None:
        import numpy as np

        self.form: Form = FORMS[cases[0].form]
        self.seconds = np.array([s for case in cases for s in case.seconds])
        names = cases[0].points[0]
        self.points = {
            name: np.array([point[name] for case in cases for point in case.points], dtype=float)
            for name in names
        }
        peaks = [peaks_of(case.device, case.computes_in) for case in cases]
        self.peaks = {
            name: np.array(
                [each[name] for each, case in zip(peaks, cases, strict=True) for _ in case.points],
                dtype=float,
            )
            for name in peaks[0]
            if all(name in each for each in peaks)
        }
        self._log: Callable[[Any], Any] = np.log
        self._measured = np.log(self.seconds)

    def loss(self, entry: dict[str, Any]) -> float:
        """Return the mean unsigned logarithm of predicted over measured times."""
        found = self.form.time(entry, self.points, self.peaks)
        return float(abs(self._log(found) - self._measured).mean())

    def errors(self, entry: dict[str, Any]) -> list[float]:
        """Return predicted over measured times, less 1."""
        found = self.form.time(entry, self.points, self.peaks) / self.seconds - 1
        return [float(each) for each in found]


def fitted(cases: Sequence[Case], ties: dict[str, float] | None = None) -> dict[str, Any]:
    """Return the values of an entry, each of three digits, that fit cases best.

    ``ties`` are values that are taken over, not fitted.
    """
    columns = Columns(cases)
    form = columns.form
    entry: dict[str, Any] = {**form.fixed, **(ties or {})}
    names = _free(columns, entry)
    for name, parameter in form.parameters.items():
        if name not in names and name not in entry:
            entry[name] = parameter.absent
    best = _searched(columns, entry, names)
    for name in [name for name in names if form.parameters[name].optional]:
        rest = [other for other in names if other != name]
        without = _searched(columns, {**best, name: form.parameters[name].absent}, rest)
        if columns.loss(without) < columns.loss(best) + NEEDED:
            best, names = without, rest
    return _to_digits(columns, best, names)


def is_determined(cases: Sequence[Case], ties: dict[str, float] | None = None) -> bool:
    """Tell whether there are as many different points as values to be found."""
    columns = Columns(cases)
    different = {tuple(sorted(point.items())) for case in cases for point in case.points}
    needed = [
        name
        for name in _free(columns, {**columns.form.fixed, **(ties or {})})
        if not columns.form.parameters[name].optional
    ]
    return len(different) >= len(needed)


def _free(columns: Columns, entry: dict[str, Any]) -> list[str]:
    """Return the parameters that are to be found."""
    return [name for name in columns.form.parameters if name not in entry and _moves(columns, name)]


def _moves(columns: Columns, name: str) -> bool:
    """Tell whether the measurements depend on a parameter at all."""
    needs = {
        "pass_share": "pass_bytes", "serial_latency": "serial_steps",
        "scale_out_share": "scale_out_bytes", "remote_latency": "crosses",
    }  # fmt: skip
    column = needs.get(name)
    if column is not None:
        return bool(columns.points[column].any())
    if name == "latency_growth":
        return bool(columns.points["ranks"].max() > columns.points["ranks"].min())
    if name in ("latency", "scale_up_share") and "crosses" in columns.points:
        inside = columns.points["scale_up_bytes" if name == "scale_up_share" else "crosses"]
        return bool(inside.any() if name == "scale_up_share" else not inside.all())
    if name in ("bandwidth_share", "launch") and columns.form is FORMS["prefill"]:
        return bool(columns.points["moved"].any())
    return True


def _searched(columns: Columns, entry: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return an entry with the named values searched for."""
    if not names:
        return entry
    limits = [columns.form.parameters[name] for name in names]

    def filled(place: list[float]) -> dict[str, Any]:
        held = (
            math.exp(min(max(x, math.log(limit.least)), math.log(limit.most)))
            for x, limit in zip(place, limits, strict=True)
        )
        return {**entry, **dict(zip(names, held, strict=True))}

    def loss(place: list[float]) -> float:
        return columns.loss(filled(place))

    place = [math.log(entry.get(n) or limit.start) for n, limit in zip(names, limits, strict=True)]
    value = loss(place)
    for number in range(ROUNDS):
        place, found = simplex(loss, place, 0.3 if number == 0 else 0.1)
        if value - found < GAIN:
            break
        value = found
    return filled(place)


def simplex(
    loss: Callable[[list[float]], float], start: list[float], size: float
) -> tuple[list[float], float]:
    """Return where a function is least, near a start, and its value there."""
    corners = [start]
    for index in range(len(start)):
        corner = list(start)
        corner[index] += size
        corners.append(corner)
    ranked = sorted((loss(corner), corner) for corner in corners)
    for _ in range(MOST_STEPS):
        least, most = ranked[0][0], ranked[-1][0]
        if most - least < GAIN / 10:
            break
        worst = ranked[-1][1]
        centre = [sum(c[1][i] for c in ranked[:-1]) / len(start) for i in range(len(start))]

        def along(
            factor: float, centre: list[float] = centre, worst: list[float] = worst
        ) -> tuple[float, list[float]]:
            corner = [c + factor * (c - w) for c, w in zip(centre, worst, strict=True)]
            return loss(corner), corner

        tried = along(1.0)
        if tried[0] < least:
            tried = min(tried, along(2.0))
        elif tried[0] >= ranked[-2][0]:
            tried = min(along(0.5) if tried[0] < most else along(-0.5), ranked[-1])
            if tried is ranked[-1]:  # shrink towards the best corner
                best = ranked[0][1]
                moved = [
                    [b + 0.5 * (x - b) for b, x in zip(best, corner, strict=True)]
                    for _, corner in ranked[1:]
                ]
                ranked = sorted([ranked[0], *((loss(corner), corner) for corner in moved)])
                continue
        ranked = sorted([*ranked[:-1], tried])
    return ranked[0][1], ranked[0][0]


def _to_digits(columns: Columns, entry: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the best entry of numbers of three digits, near one of more."""
    best = {**entry, **{name: rounded(entry[name]) for name in names}}
    value = columns.loss(best)
    moves = [{name: step} for name in names for step in (1, -1, 3, -3)]
    moves += [
        {first: a, second: b}
        for first, second in combinations(names, 2)
        for a in (1, -1)
        for b in (1, -1)
    ]
    improved = True
    while improved:
        improved = False
        for move in moves:
            tried = {**best, **{name: stepped(best[name], step) for name, step in move.items()}}
            limits = columns.form.parameters
            if any(not limits[n].least <= tried[n] <= limits[n].most for n in move):
                continue
            found = columns.loss(tried)
            if found < value - 1e-12:
                best, value, improved = tried, found, True
    return best


def rounded(value: float) -> float:
    """Return a number with three digits.

    >>> rounded(0.78951), rounded(1234.5)
    (0.79, 1230.0)
    """
    return float(f"{value:.{DIGITS - 1}e}")


def stepped(value: float, steps: int) -> float:
    """Return the number of three digits so many steps further.

    >>> stepped(0.789, 1), stepped(9.99, 1), stepped(1.0, -1)
    (0.79, 10.0, 0.99)
    """
    unit = 10.0 ** (math.floor(math.log10(value)) - DIGITS + 1)
    return rounded(value + steps * unit)
