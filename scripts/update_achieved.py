"""Fit what devices achieve to the shipped measurements, and write it where presets hold it.

Usage: ``python scripts/update_achieved.py [--check]``. It takes about a minute. Written are the
``achieved`` blocks of ``presets/hardware/``, the defaults in ``presets/achieved/``, and the fits
that leave a half out, with which ``dsv3calc validate`` scores. ``like`` is kept as it stands.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from fresh import ROOT, write

from dsv3calc.catalogue import presets
from dsv3calc.studies.measurements.blocks import (
    DEFAULTS,
    by_key,
    fit_block,
    ties_of,
    unseen_fits,
)
from dsv3calc.studies.measurements.calibration import (
    block_text,
    by_device,
    entries_of,
    pooled_entries,
)
from dsv3calc.studies.measurements.collected import collect
from dsv3calc.studies.measurements.predict import UNSEEN_FILE
from dsv3calc.studies.measurements.preset_text import spliced
from dsv3calc.studies.measurements.rows import FOLDER, shipped_files

if TYPE_CHECKING:
    from dsv3calc.studies.measurements.blocks import Block
    from dsv3calc.studies.measurements.cases import Case


def files() -> dict[str, str]:
    """Return the content of each file, by its path from the root of the repository."""
    collected = collect(shipped_files())
    devices = by_device(collected.cases)
    blocks = {name: fit_block(cases) for name, cases in sorted(devices.items())}
    found = {}
    unseen: list[dict[str, Any]] = []
    for name, block in blocks.items():
        entries = entries_of(devices[name], name, blocks, devices, collected)
        found[f"presets/hardware/{name}.yaml"] = _spliced("hardware", name, entries)
        unseen += _unseen(name, devices[name], block)
    pooled = pooled_entries(devices, collected)
    found[f"presets/achieved/{DEFAULTS}.yaml"] = _spliced("achieved", DEFAULTS, pooled)
    text = ",\n".join(json.dumps(fit) for fit in unseen)
    found[f"presets/{FOLDER}/{UNSEEN_FILE}"] = f"[\n{text}\n]\n"
    return found


def _spliced(kind: str, name: str, entries: Block) -> str:
    """Return the file of a preset with its block replaced; ``like`` stays."""
    path = ROOT / "presets" / kind / f"{name}.yaml"
    block = presets.load(kind, str(path)).value.achieved
    like = block.like if block is not None and block.like else ""
    return spliced(path.read_text("utf-8"), block_text(entries, like))


def _unseen(name: str, cases: list[Case], block: Block) -> list[dict[str, Any]]:
    """Return the fits of a device that leave groups out."""
    found = []
    for key, listed in by_key(cases).items():
        if key not in block:
            continue
        fits = unseen_fits(listed, ties_of(key, listed, block))
        for values, left_out in fits:
            groups = sorted({case.row.group for case in left_out})
            seen = sorted({case.row.group for case in listed} - set(groups))
            found.append(
                {"hardware": name, "entry": key, "groups": groups, "seen": seen, "values": values}
            )
    return found


if __name__ == "__main__":
    sys.exit(write(files()))
