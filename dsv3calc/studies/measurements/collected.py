"""The cases of files, row by row, and the rows that give none, with why."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.studies.checked import check_names
from dsv3calc.studies.measurements.areas import (
    AREAS,
    Devices,
    Unusable,
    cases_of,
)
from dsv3calc.studies.measurements.cases import Case, NotExpressed
from dsv3calc.studies.measurements.rows import Place, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.schema.measurement import Row
    from dsv3calc.studies.measurements.steps import StepCase


class Left(msgspec.Struct, frozen=True):
    """A row that is not predicted, with why; ``unusable`` says that a contradiction is why."""

    place: Place
    id: str
    area: str
    why: str
    unusable: bool
    hint: str = ""


class Collected(msgspec.Struct, frozen=True):
    """What files hold: cases that entries are fitted to, the rows left out, all names."""

    cases: list[Case]
    left: list[Left]
    ids: set[str]


def express(
    files: list[str],
    *,
    areas: Sequence[str] = (),
    hardware: Sequence[str] = (),
    preset_path: str | None = None,
) -> Iterator[tuple[Row, list[Case] | list[StepCase] | Left]]:
    """Yield each row of some areas and devices with its cases, or with why it has none.

    Raises
    ------
    UsageError
        If no predictor is for an area.
    InvalidInput
        After the last row, with every problem of every line.
    """
    check_names(areas, AREAS, "there is no predictor for the area {}", "areas")
    devices = Devices(preset_path)
    wanted = {devices.load(name).name for name in hardware}
    for place, row in read_rows(files):
        if (areas and row.area not in areas) or (wanted and _device(devices, row) not in wanted):
            continue
        try:
            yield row, cases_of(row, devices)
        except Unusable as error:
            yield row, Left(place, row.id, row.area, str(error), unusable=True)
        except NotExpressed as error:
            hint = getattr(error, "hint", "")
            yield row, Left(place, row.id, row.area, str(error), unusable=False, hint=hint)


def collect(files: list[str], **chosen: Any) -> Collected:
    """Read files whole, as :func:`express` does: ``chosen`` are its other arguments."""
    found = Collected([], [], set())
    for row, result in express(files, **chosen):
        found.ids.add(row.id)
        if isinstance(result, Left):
            found.left.append(result)
        else:
            found.cases.extend(each for each in result if isinstance(each, Case))
    return found


def _device(devices: Devices, row: Row) -> str:
    """Return the name of a row's device, empty for one that no preset describes."""
    try:
        return devices(row.hw).name
    except NotExpressed:
        return ""
