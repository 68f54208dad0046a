"""What is assumed of a preset: values that nothing published states, and overrides."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dsv3calc.catalogue.overrides import Override
    from dsv3calc.reading.text import PathInData


class Assumption(msgspec.Struct, frozen=True):
    """A value of a preset that is assumed: its field, the assumption, and the same in brief."""

    field: str
    text: str
    brief: str


def assumed(value: Any) -> Iterator[tuple[str, str, str]]:
    """Yield the fields whose values are assumptions, with the assumption in words and in brief."""
    if not hasattr(value, "provenance"):
        return
    from dsv3calc.schema.provenance import assumed_fields

    for field, origin in assumed_fields(value):
        where = "" if field == "default" else f"{field}: "
        note = f" ({origin.note})" if origin.note else ""
        yield field, f"{where}{origin.citation}{note}", origin.citation


def assumptions_of(
    preset: Any, stated: Iterable[tuple[str, str, str]], overrides: Sequence[Override]
) -> list[Assumption]:
    """Return the assumptions of a preset: those stated, and the overrides."""
    edits = (("", text, text) for text in (f"--set {each.text}" for each in overrides))
    called = preset.kind.replace("_", " ")
    return [
        Assumption(field, f"{preset.name}: {text}", f"{called} {preset.name}: {brief}")
        for field, text, brief in (*stated, *edits)
        if not _is_replaced(field, preset.edited)
    ]


def _is_replaced(field: str, places: Iterable[PathInData]) -> bool:
    """Tell whether an override gave a field, or all of a part that it is in."""
    parts = tuple(field.split("."))
    return any(parts[: len(path)] == tuple(map(str, path)) for path in places)
