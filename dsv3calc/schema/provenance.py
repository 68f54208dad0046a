"""Where a preset's values come from: sources, and which field takes which."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from dsv3calc.schema.fields import Kind, Text


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One place that values were read from.

    ``read`` is the date on which it was read; ``note`` says what a reader should know,
    such as the step from the published figure to the value.
    """

    kind: Kind
    citation: Text
    read: str = msgspec.field(default="")
    url: str = ""
    note: str = ""


def provenance_problems(
    sources: Mapping[str, Source], provenance: Mapping[str, str]
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Yield a missing default, and each field whose source is not listed."""
    if "default" not in provenance:
        yield ("provenance",), "provenance needs a default source", "every value has a source"
    for field, source in provenance.items():
        if source not in sources:
            yield (
                ("provenance", field),
                f"source '{source}' is not listed under sources",
                f"listed: {', '.join(sources)}",
            )


def source_of(field: str, provenance: Mapping[str, str]) -> str:
    """Return the source id of a dotted ``field``: the longest listed prefix, else ``default``."""
    while field:
        if field in provenance:
            return provenance[field]
        field = field.rpartition(".")[0]
    return provenance["default"]


def assumed_fields(document: Any) -> Iterator[tuple[str, Source]]:
    """Yield each explicitly listed field of a preset whose value is an assumption."""
    for field, name in document.provenance.items():
        source = document.sources.get(name)
        if source is not None and source.kind == "assumed":
            yield field, source
