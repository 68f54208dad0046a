"""Which set-ups are for training and which for serving, by the rows that they stand for."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.catalogue import presets, search_path
from dsv3calc.errors import Dsv3calcError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.schema.setup import Setup

TRAINING, SERVING = "training", "inference"
"""What the names of areas of measured rows begin with -> what such rows are about."""

_OVERLAPS = {
    "paired": "hides what a pass sends behind the pass that overlaps it",
    "two_batch": "alternates two half batches between computation and communication",
}
"""Overlap that needs something of a layout -> what a set-up does with it."""

_WORDS = {TRAINING: "training", SERVING: "serving"}


def refuse_other(setup: Preset[Setup] | None, wanted: str, preset_path: str | None) -> None:
    """Refuse a set-up all of whose measured rows are of the other kind.

    A set-up that names no rows is taken as it is.

    Raises
    ------
    UsageError
        With the set-ups that apply.
    """
    if setup is None:
        return
    kinds = _kinds(setup.value)
    if not kinds or wanted in kinds:
        return
    names = ", ".join(_for(wanted, preset_path))
    raise UsageError(
        f"the set-up {setup.name} is for {_WORDS[next(iter(kinds))]}, and this is {_WORDS[wanted]}",
        f"set-ups for {_WORDS[wanted]}: {names}",
    )


def overlap_problems(
    setup: Setup | None, lacks: Mapping[str, tuple[str, str]]
) -> list[tuple[str, str]]:
    """List the overlaps of a set-up that a layout cannot have, with what would do.

    ``lacks`` says of each such overlap what the layout lacks for it, and what to take.
    """
    overlap = None if setup is None or setup.time is None else setup.time.overlap
    return [
        (
            f"the set-up {setup.name if setup else ''} {words}, and {lacks[name][0]}",
            f"{lacks[name][1]}, or --set setup.time.overlap.{name}=false",
        )
        for name, words in _OVERLAPS.items()
        if name in lacks and getattr(overlap, name, False)
    ]


def _kinds(setup: Setup) -> set[str]:
    areas = [each.area for each in setup.applies_to if each.area is not None]
    return {kind for kind in _WORDS for area in areas if area.startswith(kind)}


def _for(wanted: str, preset_path: str | None) -> Iterator[str]:
    """Yield the set-ups with times for what is wanted."""
    for name in search_path.listing("setup", preset_path):
        try:
            setup: Setup = presets.load("setup", name, preset_path=preset_path).value
        except Dsv3calcError:  # a broken file is none that applies
            continue
        if setup.time is not None and wanted in _kinds(setup):
            yield name
