"""Predicting whole steps: by the studies of ``train`` and ``time``, with the set-up of a row."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.roofline import peak_of
from dsv3calc.catalogue import presets, search_path
from dsv3calc.errors import Dsv3calcError
from dsv3calc.queries.train import TrainQuery
from dsv3calc.studies.measurements.cases import NotExpressed
from dsv3calc.studies.times.answer import pass_answer
from dsv3calc.studies.times.train import answer_step

if TYPE_CHECKING:
    from dsv3calc.queries.time import TimeQuery
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.setup import AppliesTo, Setup
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.measurements.steps import StepCase

FLAT_MFU = 0.4
"""Share of the peak of the data type that anyone would guess: a baseline of training."""


class StepTimes(msgspec.Struct, frozen=True):
    """The estimate of a step, its bound, and the time of a training step at a flat MFU."""

    estimate: float
    bound: float
    flat: float | None


class Steps:
    """Predicts steps; set-ups are read, and equal queries answered, once."""

    def __init__(self, preset_path: str | None = None) -> None:
        self._preset_path = preset_path
        self._setups: list[Setup] | None = None
        self._answered: dict[str, StepTimes | str] = {}

    def setup_of(self, case: StepCase) -> Setup:
        """Return the set-up that stands for a row: the one that names most of what it has.

        Raises
        ------
        NotExpressed
            If none does, or it has no factor for the family of the device.
        """
        if self._setups is None:
            names = sorted(search_path.listing("setup", self._preset_path))
            self._setups = [
                presets.load("setup", name, preset_path=self._preset_path).value for name in names
            ]
        ranked = [
            (_matched(entry, case), setup) for setup in self._setups for entry in setup.applies_to
        ]
        best = max((rank for rank, _ in ranked), default=0)
        if best == 0:
            raise NotExpressed("no set-up for its software")
        setup = next(setup for rank, setup in ranked if rank == best)
        time = setup.time
        training = case.row.area.startswith("training")
        if training and time and time.sustained and case.device.family not in time.sustained:
            raise NotExpressed(f"{setup.name} has no sustained factor of {case.device.name}")
        return setup

    def ask(self, query: TrainQuery | TimeQuery, setup: str, device: Hardware) -> StepTimes:
        """Return the times of a query with a set-up; ``device`` is the query's.

        Raises
        ------
        NotExpressed
            If the query is refused.
        """
        asked = msgspec.structs.replace(query, setup=setup, preset_path=self._preset_path)
        key = repr(asked)
        if key not in self._answered:
            try:
                self._answered[key] = self._times(asked, device)
            except Dsv3calcError as error:
                first = error.message.splitlines()[0]
                self._answered[key] = f"refused by the query: {first[:120]}"
        found = self._answered[key]
        if isinstance(found, str):
            raise NotExpressed(found)
        return found

    def _times(self, query: TrainQuery | TimeQuery, device: Hardware) -> StepTimes:
        if not isinstance(query, TrainQuery):
            values = _values(pass_answer(query))
            return StepTimes(values["time.estimate"], values["time.bound"], None)
        values = _values(answer_step(query, by_the_clock=False))
        # MFU is of the BF16 peak; the baseline is of the peak that most products run at
        named = query.precision or "bf16"
        precision = presets.load("precision", named, preset_path=self._preset_path).value
        used, _ = peak_of(precision, device, "default")
        share = values["train.mfu.causal"] * device.peaks["bf16"] / device.peaks[used]
        estimate = values["train.step.estimate"]
        return StepTimes(estimate, values["train.step.bound"], estimate * share / FLAT_MFU)


def _matched(entry: AppliesTo, case: StepCase) -> int:
    """Return how many values of an entry a row has; 0 if it lacks one."""
    has = {
        "source": case.row.src,
        "chip": case.device.name,
        "platform": case.platform,
        "area": case.row.area,
    }
    wanted = {name: getattr(entry, name) for name in has if getattr(entry, name) is not None}
    return len(wanted) if all(has[name] == value for name, value in wanted.items()) else 0


def _values(answer: Answer) -> dict[str, float]:
    return {line.name: float(line.value) for line in answer.columns[0].ledger.lines}
