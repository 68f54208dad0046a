"""All cases of files, and the rows that give none, with why."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.errors import UsageError
from dsv3calc.reading.diagnostics import quote, suggest
from dsv3calc.studies.measurements.areas import (
    AREAS,
    Devices,
    Unusable,
    cases_of,
)
from dsv3calc.studies.measurements.cases import Case, NotExpressed
from dsv3calc.studies.measurements.rows import Place, read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.schema.measurement import Row


class Left(msgspec.Struct, frozen=True):
    """A row that is not predicted, with why; ``unusable`` says that a contradiction is why."""

    place: Place
    row: Row
    why: str
    unusable: bool
    hint: str = ""


class Collected(msgspec.Struct, frozen=True):
    """What files hold: cases by the row that they come from, and the rows left out."""

    cases: list[Case]
    left: list[Left]
    ids: set[str]
    rows: int = 0


def collect(
    files: list[str],
    *,
    areas: Sequence[str] = (),
    hardware: Sequence[str] = (),
    preset_path: str | None = None,
) -> Collected:
    """Read files and express their rows, those of some areas and devices where such are named.

    Raises
    ------
    UsageError
        If no predictor is for an area.
    InvalidInput
        With every problem of every line.
    """
    for area in areas:
        if area not in AREAS:
            close = suggest(area, AREAS)
            raise UsageError(
                f"there is no predictor for the area {quote(area)}",
                f"did you mean '{close}'?" if close else f"areas: {', '.join(AREAS)}",
            )
    devices = Devices(preset_path)
    wanted = {devices.load(name).name for name in hardware}
    found = Collected([], [], set())
    count = 0
    for place, row in read_rows(files):
        found.ids.add(row.id)
        if areas and row.area not in areas:
            continue
        try:
            cases = cases_of(row, devices)
        except Unusable as error:
            left = Left(place, row, str(error), unusable=True)
        except NotExpressed as error:
            left = Left(place, row, str(error), unusable=False, hint=getattr(error, "hint", ""))
        else:
            if not wanted or cases[0].device.name in wanted:
                count += 1
                found.cases.extend(cases)
            continue
        if not wanted or _names(devices, row) in wanted:
            count += 1
            found.left.append(left)
    return msgspec.structs.replace(found, rows=count)


def _names(devices: Devices, row: Row) -> str:
    try:
        return devices(row.hw).name
    except NotExpressed:
        return ""
