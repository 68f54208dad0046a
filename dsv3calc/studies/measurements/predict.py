"""Predicting cases: with what a device achieves, or with a fit that did not see them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.times.achieved import Entries
from dsv3calc.catalogue import presets
from dsv3calc.catalogue.search_path import packaged_presets
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.reading.diagnostics import Problem
from dsv3calc.reading.source import read_source
from dsv3calc.studies.measurements.areas import BEYOND
from dsv3calc.studies.measurements.blocks import DEFAULTS
from dsv3calc.studies.measurements.cases import TRACED, NotExpressed
from dsv3calc.studies.measurements.forms import FORMS, peaks_of, unmeasured
from dsv3calc.studies.measurements.halves import half_of
from dsv3calc.studies.measurements.rows import FOLDER
from dsv3calc.studies.measurements.whole_steps import Steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsv3calc.accounting.times.achieved import Entry
    from dsv3calc.studies.measurements.cases import Case
    from dsv3calc.studies.measurements.steps import StepCase

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

    ``seen`` says that the entry was fitted to the case's group, and no other fit exists. ``flat``
    are the times of training steps at a flat share of the peak.
    """

    seconds: list[float]
    bound: list[float]
    place: str
    origin: str
    seen: bool
    flat: list[float] | None = None


class Predictor:
    """Predicts cases; blocks of devices and fits of halves are read when asked for."""

    def __init__(self, preset_path: str | None = None) -> None:
        self._preset_path = preset_path
        self._known: dict[tuple[str, str], Entries] = {}
        self._unseen = unseen_fits()
        self._steps = Steps(preset_path)

    def _entries(self, case: Case) -> Entries:
        """Return the blocks that hold for a device and a library."""
        key = (case.device.name, case.library)
        if key not in self._known:
            block = case.device.achieved
            load = partial(presets.load, preset_path=self._preset_path)
            like = load("hardware", block.like).value if block and block.like else None
            defaults = load("achieved", DEFAULTS).value.achieved
            self._known[key] = Entries(case.device, like, defaults, case.library)
        return self._known[key]

    def step(self, case: StepCase) -> Prediction:
        """Predict whole steps. The values of set-ups are fitted to rows such as these.

        Raises
        ------
        NotExpressed
            If no set-up stands for the row, or its query is refused.
        """
        setup = self._steps.setup_of(case)
        seconds, bound, flat = [], [], []
        for asks in case.asks:
            found = [
                (each.weight, self._steps.ask(each.query, setup.name, case.device)) for each in asks
            ]
            seconds.append(sum(weight * times.estimate for weight, times in found))
            bound.append(sum(weight * times.bound for weight, times in found))
            flat += [times.flat for _, times in found if times.flat is not None]
        return Prediction(seconds, bound, f"setup {setup.name}", "", seen=True, flat=flat or None)

    def __call__(self, case: Case) -> Prediction:
        """Predict a case.

        Raises
        ------
        NotExpressed
            If no entry holds for it.
        """
        name = case.device.name
        *tables, dtype = case.entry
        try:
            found = self._entries(case).find(tuple(tables), dtype)
        except UsageError:
            raise NotExpressed(f"no entry for {'.'.join(case.key)}") from None
        origin = "" if found.whose == name and not found.instead_of else found.words
        fits = self._unseen.get((name, case.key), [])
        left_out = next((fit for fit in fits if case.row.group in fit.groups), None)
        if left_out is not None and _missing(left_out.values, case):
            left_out = None
        own = not origin and case.kind != TRACED
        entry: Mapping[str, Any] = (
            _values(found, case.form) if left_out is None else left_out.values
        )
        missing = _missing(entry, case)
        if missing:
            raise NotExpressed(f"{missing} of {'.'.join(case.key)} was not measured")
        computes_in = getattr(found.spec, "computes_in", case.computes_in)
        device = peaks_of(case.device, computes_in)
        form = FORMS[case.form]
        place = ".".join((found.prefix, *found.path))
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
            "" if left_out is not None else origin,
            own and left_out is None and _names(found.fit.rows, case.row.id),
        )


def _values(found: Entry, form: str) -> dict[str, Any]:
    """Return the values of an entry; what of an exchange was not measured is that of the next."""
    values = msgspec.structs.asdict(found.spec)
    further = found.beyond if form == "exchange" else None
    while further is not None:
        values = {
            name: getattr(further.spec, name, None) if value is None else value
            for name, value in values.items()
        }
        further = further.beyond
    return values


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
