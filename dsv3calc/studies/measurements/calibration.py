"""Answer ``calibrate --rows``: what devices achieve, fitted to measurements."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import InvalidInput
from dsv3calc.ledger.line import Ledger, given, total
from dsv3calc.reading.diagnostics import Problem
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.measurements.blocks import (
    Block,
    Key,
    as_yaml,
    by_key,
    described,
    fit_block,
    nested,
    quantile,
    ties_of,
    unseen_errors,
)
from dsv3calc.studies.measurements.collected import collect
from dsv3calc.studies.measurements.fit import Columns, fitted, is_determined
from dsv3calc.studies.measurements.rows import shipped_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.measurements.cases import Case
    from dsv3calc.studies.measurements.collected import Collected

SHIPPED = "shipped"
"""What names the measurements that are shipped."""
POOLED_BACKWARD: dict[Key, Key] = {
    ("attention", "backward", "bf16"): ("attention", "mla_backward", "bf16-cudnn"),
}
"""Entry of the defaults that no row gives -> the entry whose values it takes."""


def files_of(rows: str) -> list[str]:
    """Return the files that ``--rows`` names."""
    return shipped_files() if rows == SHIPPED else [rows]


def answer_calibrate(
    rows: str,
    *,
    areas: Sequence[str] = (),
    hardware: Sequence[str] = (),
    pooled: bool = False,
    preset_path: str | None = None,
) -> Answer:
    """Fit the blocks of all devices that rows name, or one for all of them together.

    Raises
    ------
    InvalidInput
        If a line is wrong, or no entry has as many rows as it has values.
    """
    collected = collect(files_of(rows), areas=areas, hardware=hardware, preset_path=preset_path)
    query = {"rows": rows, "areas": list(areas), "hardware": list(hardware), "pooled": pooled}
    answer = Answer("calibrate", query, "calibrate")
    devices = by_device(collected.cases)
    fits = (
        {"all devices": pooled_entries(devices, collected)}
        if pooled
        else fitted_devices(devices, collected)
    )
    lines = []
    for name, found in fits.items():
        if found:
            lines += [f"# {name}", *block_text(found)]
    list_entries(answer, fits, rows)
    answer.text = "\n".join(lines) + "\n"
    for left in collected.left:
        if left.unusable and rows != SHIPPED:
            answer.warn(f"{left.place.file}:{left.place.line}: {left.id}: {left.why}")
    return answer


def by_device(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Return cases by the name of their device."""
    devices: dict[str, list[Case]] = {}
    for case in cases:
        devices.setdefault(case.device.name, []).append(case)
    return devices


def fitted_devices(devices: dict[str, list[Case]], collected: Collected) -> dict[str, Block]:
    """Return the block of each device, its entries with their errors."""
    blocks = {name: fit_block(cases) for name, cases in sorted(devices.items())}
    return {name: entries_of(devices[name], name, blocks, devices, collected) for name in blocks}


def block_text(entries: Block, like: str = "") -> list[str]:
    """Return the lines of a block; ``like`` is the device whose entries hold beside these."""
    named = [f"  like: {like}"] if like else []
    return ["achieved:", *named, *as_yaml(nested(entries), "  ")]


def list_entries(
    answer: Answer, fits: dict[str, Block], rows: str, more: Sequence[Line] = ()
) -> None:
    """Put the entries of blocks into an answer, as rows and as their number beside more lines.

    Raises
    ------
    InvalidInput
        If there is none.
    """
    answer.rows = [
        _row(name, key, entry) for name, found in fits.items() for key, entry in found.items()
    ]
    if not answer.rows:
        what = "too few rows to fit: no kernel or link has as many points as values"
        raise InvalidInput([Problem(rows, None, None, what)])
    answer.headings = list(answer.rows[0])
    counted = total("calibrate.entries", (given("entries", len(answer.rows), "1"),))
    answer.columns.append(
        Column("calibrate", "fitted entries", Ledger("calibrate", [counted, *more]))
    )


def entries_of(
    cases: list[Case],
    name: str,
    blocks: dict[str, Block],
    devices: dict[str, list[Case]],
    collected: Collected,
) -> dict[Key, dict[str, Any]]:
    """Return the entries of a device, with their errors on what they were not fitted to."""
    listed = by_key(cases)
    found = {}
    for key, entry in blocks[name].items():
        ties = ties_of(key, listed[key], blocks[name])
        unseen = [each for _, errors in unseen_errors(listed[key], ties) for each in errors]
        elsewhere = [
            abs(each)
            for other, its in devices.items()
            if other != name and key in by_key(its)
            for each in Columns(by_key(its)[key]).errors(entry)
        ]
        transfer = quantile(elsewhere, 0.5) if elsewhere else None
        found[key] = described(entry, listed[key], unseen, collected.ids, transfer)
    return found


def pooled_entries(
    devices: dict[str, list[Case]], collected: Collected
) -> dict[Key, dict[str, Any]]:
    """Return one block for all devices: of each entry a device left out gives the error."""
    listed = by_key(case for cases in devices.values() for case in cases)
    found: dict[Key, dict[str, Any]] = {}
    for key, cases in listed.items():
        if not is_determined(cases):
            continue
        left_out = []
        for name in sorted({case.device.name for case in cases}):
            others = [case for case in cases if case.device.name != name]
            if others and is_determined(others):
                entry = fitted(others)
                own = [case for case in cases if case.device.name == name]
                left_out += [abs(each) for each in Columns(own).errors(entry)]
        transfer = quantile(left_out, 0.5) if left_out else None
        found[key] = described(fitted(cases), cases, [], collected.ids, transfer, "assumed")
    for key, source in POOLED_BACKWARD.items():
        if key not in found and source in found:
            found[key] = found[source]
    return found


def _row(name: str, key: Key, entry: dict[str, Any]) -> dict[str, Any]:
    fit = entry["fit"]
    return {
        "hardware": name,
        "entry": ".".join(key),
        **{n: entry.get(n) for n in ("compute_share", "bandwidth_share", "link_share", "launch")},
        "points": fit["points"],
        "median_error": fit["median_error"],
        "p10": fit["p10"],
        "p90": fit["p90"],
        "unseen_error": fit.get("unseen_error"),
        "transfer_error": fit.get("transfer_error"),
    }
