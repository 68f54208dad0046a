"""Answer ``calibrate`` without rows: measure the present device and fit its block."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from dsv3calc.catalogue import presets, references
from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.ledger.line import given, total
from dsv3calc.reading.diagnostics import quote
from dsv3calc.reading.source import Source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.hardware import Hardware
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.checked import check_names
from dsv3calc.studies.measurements.areas import EAGER, Devices, Unusable, cases_of
from dsv3calc.studies.measurements.calibration import (
    block_text,
    by_device,
    fitted_devices,
    list_entries,
)
from dsv3calc.studies.measurements.cases import NotExpressed
from dsv3calc.studies.measurements.collected import Collected
from dsv3calc.studies.measuring.report import (
    measured_device,
    name_of,
    preset_on,
    preset_text,
    rows_of,
    rows_text,
    source_text,
)
from dsv3calc.studies.measuring.sweep import SHARES, sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.schema.measurement import Row
    from dsv3calc.studies.measuring.machine import Facts, Machine
    from dsv3calc.studies.measuring.sweep import Sweep

DEVICES = ("auto", "gpu", "cpu")
SECONDS = 120.0
LONGEST = 3600.0
MICRO = 1e6
BUSY = 0.3
"""Load of each core above which other processes are told of."""


def _load() -> float:
    """Return how many processes ran in the last minute, 0 where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return 0.0


def machine_of(wanted: str) -> Machine:
    """Return the device to measure: a GPU of PyTorch where there is one, else the CPU.

    Raises
    ------
    UsageError
        If no such device is known.
    Infeasible
        If a GPU is wanted and there is none.
    """
    if wanted not in DEVICES:
        raise UsageError(f"--device {quote(wanted)}: choose one of {', '.join(DEVICES)}")
    from dsv3calc.studies.measuring.on_torch import OnTorch, torch_or_none

    torch = torch_or_none() if wanted != "cpu" else None
    if torch is not None:
        return OnTorch(torch)
    if wanted == "gpu":
        raise Infeasible(
            "there is no GPU to calibrate: PyTorch is not installed or sees none",
            "pip install 'dsv3calc[calibrate]' with the wheel for CUDA or ROCm; or --device cpu",
        )
    from dsv3calc.studies.measuring.on_numpy import OnNumpy

    return OnNumpy()


def answer_measured(
    *,
    device: str = "auto",
    seconds: float = SECONDS,
    areas: Sequence[str] = (),
    hardware: str | None = None,
    name: str | None = None,
    preset_path: str | None = None,
    rows_file: str = "",
) -> Answer:
    """Measure the present device and return its preset as text, and the raw rows beside it.

    ``hardware`` is the preset with its data sheet: without one the peaks are measured ones.
    ``rows_file`` is where the rows will lie.

    Raises
    ------
    UsageError
        If an area cannot be measured, or the name is none.
    Infeasible
        If there is no such device.
    InvalidInput
        If too little could be measured to fit.
    """
    _check(areas, seconds, name)
    base = presets.load("hardware", hardware, preset_path=preset_path) if hardware else None
    machine = machine_of(device)
    facts, date = machine.facts, time.strftime("%Y-%m-%d")
    called = name or (f"my-{base.name}" if base else name_of(facts.title))
    sheet = None
    if base is not None:  # before any work is done
        sheet = _parsed(preset_on(base, called, [], source_text(facts, date, [], rows_file)))
    before, busy = machine.clocks(), _load()
    found = sweep(machine, [area for area in SHARES if not areas or area in areas], seconds)
    after = machine.clocks()
    if not found.timed:
        why = "; ".join(f"{what}: {error}" for what, error in found.failed.items())
        raise Infeasible(f"nothing could be measured of {facts.title}", why)
    rows = rows_of(called, facts, found, date)
    how = _how(found, before, after)
    source = source_text(facts, date, how, rows_file)
    bare = sheet or measured_device(called, facts, found)
    answer = Answer("calibrate", {"device": device, "seconds": seconds}, "calibrate")
    collected = collected_of(rows, bare, answer)
    fits = fitted_devices(by_device(collected.cases), collected)
    counted = (
        total("calibrate.rows", (given("rows", len(rows), "1"),)),
        total("calibrate.seconds", (given("seconds", found.seconds, "s"),)),
    )
    list_entries(answer, fits, facts.title, counted)
    like = _like(base, hardware)
    block = block_text(fits[called], like)
    answer.text = (
        preset_on(base, called, block, source) if base else preset_text(bare, block, source)
    )
    _parsed(answer.text)  # what is written can be read
    if rows_file:
        answer.beside[rows_file] = rows_text(rows)
    if busy > BUSY * (os.cpu_count() or 1):
        answer.warn(
            f"other processes ran (load {busy:.1f}): the times are not those of an idle machine"
        )
    _tell(answer, facts, found, how, peaks_measured=base is None)
    return answer


def _check(areas: Sequence[str], seconds: float, name: str | None) -> None:
    check_names(areas, SHARES, "the area {} cannot be measured here", "areas")
    if not 0 < seconds <= LONGEST:
        raise UsageError(f"--seconds must be above 0 and at most {LONGEST:g}")
    if name is not None and (
        not references.NAME.fullmatch(name) or len(name) > references.LONGEST_NAME
    ):
        raise UsageError(
            f"{quote(name)} is no name of a preset",
            "letters, digits, '.', '_' and '-', the first a letter or digit",
        )


def _like(base: presets.Preset[Hardware] | None, named: str | None) -> str:
    """Return the device whose entries hold where nothing was measured: that of the data sheet."""
    if base is None or named is None or base.value.achieved is None:
        return ""
    return base.value.achieved.like or ("" if references.is_path(named) else base.name)


def _parsed(text: str) -> Hardware:
    """Return the device of a text.

    Raises
    ------
    InvalidInput
        If it is no preset.
    """
    source = Source("the preset", text, "yaml")
    return convert(source, source.data, Hardware)


def collected_of(rows: Sequence[Row], device: Hardware, answer: Answer) -> Collected:
    """Express rows as cases of the device; those that contradict its peaks are told."""
    devices = Devices()
    devices.add(device)
    found = Collected([], [], set())
    for row in rows:
        found.ids.add(row.id)
        try:
            found.cases.extend(cases_of(row, devices))  # type: ignore[arg-type]
        except Unusable as error:
            answer.warn(f"{row.id}: {error}; it is not fitted to")
        except NotExpressed:
            continue
    return found


def _how(found: Sweep, before: str, after: str) -> list[str]:
    """Return how it was measured, in sentences."""
    graphs = any(each.trial.mode == EAGER for each in found.timed)
    said = [
        f"{len(found.timed)} times in {found.seconds:.0f} s.",
        "Random operands, dealt in turn from twice the cache.",
        "Lower quartiles of rounds after warm-up.",
        "Calls recorded as graphs, some also one by one from the host."
        if graphs
        else "Calls one by one.",
    ]
    if before or after:
        said.append(f"Clocks before: {before or 'unknown'}; after: {after or 'unknown'}.")
    one_by_one = [
        each.seconds
        for each in found.timed
        if each.trial.area == "kernel_other" and (each.trial.mode == EAGER or not graphs)
    ]
    if one_by_one:
        said.append(f"A call from the host takes {min(one_by_one) * MICRO:.3g} us at least.")
    return said


def _tell(
    answer: Answer, facts: Facts, found: Sweep, how: Sequence[str], *, peaks_measured: bool
) -> None:
    """Say how it was measured and what was not."""
    answer.notes += how
    answer.notes.append(_errors(answer))
    if peaks_measured:
        answer.notes.append(
            "the peaks are the fastest rates that were measured: --hardware NAME takes those of a "
            "data sheet"
        )
    if facts.count == 1:
        answer.notes.append("collectives were not measured: there is one device")
    answer.notes.append("not measured: MLA, backward passes, links between nodes")
    for what, error in found.failed.items():
        answer.warn(f"{what} could not run: {error}")


def _errors(answer: Answer) -> str:
    parts = [f"{row['entry']} {row['median_error']:.1%}" for row in answer.rows]
    return f"median errors of the fit: {', '.join(parts)}"
