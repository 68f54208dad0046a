"""Predicting cases: with what a device achieves, or with a fit that did not see them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.catalogue.search_path import packaged_presets
from dsv3calc.errors import InvalidInput
from dsv3calc.reading.diagnostics import Problem
from dsv3calc.reading.source import read_source
from dsv3calc.studies.measurements.areas import BEYOND
from dsv3calc.studies.measurements.cases import TRACED, NotExpressed
from dsv3calc.studies.measurements.forms import FORMS, peaks_of, unmeasured
from dsv3calc.studies.measurements.halves import half_of
from dsv3calc.studies.measurements.rates import Rates
from dsv3calc.studies.measurements.rows import FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsv3calc.studies.measurements.cases import Case

UNSEEN_FILE = "unseen.json"


class UnseenFit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fit of an entry to a part of its measurements, for the groups that were left out."""

    hardware: str
    entry: list[str]
    groups: list[str]
    seen: list[str]
    values: dict[str, float | str | None]


class Prediction(msgspec.Struct, frozen=True):
    """Predicted times of a case, with where the values come from.

    ``seen`` says that the entry was fitted to the case's group, and no other fit exists.
    """

    seconds: list[float]
    bound: list[float]
    place: str
    origin: str
    seen: bool


class Predictor:
    """Predicts cases; blocks of devices and fits of halves are read when asked for."""

    def __init__(self, preset_path: str | None = None) -> None:
        self._preset_path = preset_path
        self._rates: dict[str, Rates] = {}
        self._unseen = unseen_fits()

    def __call__(self, case: Case) -> Prediction:
        """Predict a case.

        Raises
        ------
        NotExpressed
            If no entry holds for it.
        """
        name = case.device.name
        if name not in self._rates:
            self._rates[name] = Rates(case.device, self._preset_path)
        found = self._rates[name].find(case.entry, case.library)
        if found is None:
            raise NotExpressed(f"no entry for {'.'.join(case.key)}")
        fits = self._unseen.get((name, case.key), [])
        left_out = next((fit for fit in fits if case.row.group in fit.groups), None)
        if left_out is not None and _missing(left_out.values, case):
            left_out = None
        own = not found.origin and case.kind != TRACED
        entry: Mapping[str, Any] = (
            msgspec.structs.asdict(found.entry) if left_out is None else left_out.values
        )
        missing = _missing(entry, case)
        if missing:
            raise NotExpressed(f"{missing} of {'.'.join(case.key)} was not measured")
        computes_in = getattr(found.entry, "computes_in", case.computes_in)
        device = peaks_of(case.device, computes_in)
        form = FORMS[case.form]
        place = found.place
        if left_out is not None:
            place += f", fitted without half {half_of(case.row.group)}"
        try:
            seconds = [float(form.time(entry, point, device)) for point in case.points]
            bound = [float(form.bound(point, device)) for point in case.points]
        except ArithmeticError:
            raise NotExpressed(BEYOND) from None
        return Prediction(
            seconds,
            bound,
            place,
            "" if left_out is not None else found.origin,
            own and left_out is None and _names(found.entry.fit.rows, case.row.id),
        )


def _missing(entry: Mapping[str, Any], case: Case) -> str:
    """Return a value that a case needs and an entry lacks; empty for none."""
    return next((each for point in case.points if (each := unmeasured(entry, point))), "")


def _names(rows: list[str], name: str) -> bool:
    """Tell whether a row is among those that an entry was fitted to, which may be patterns."""
    return any(fnmatchcase(name, pattern) for pattern in rows)


def unseen_fits() -> dict[tuple[str, tuple[str, ...]], list[UnseenFit]]:
    """Return the shipped fits that leave groups out, by device and entry."""
    path = os.path.join(packaged_presets(), FOLDER, UNSEEN_FILE)
    source = read_source(path)
    try:
        fits = msgspec.json.decode(source.text, type=list[UnseenFit])
    except msgspec.DecodeError as error:
        raise InvalidInput([Problem(path, None, None, f"no list of fits: {error}")]) from None
    found: dict[tuple[str, tuple[str, ...]], list[UnseenFit]] = {}
    for fit in fits:
        found.setdefault((fit.hardware, tuple(fit.entry)), []).append(fit)
    return found
