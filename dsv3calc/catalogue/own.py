"""Presets of one's own: what a file may leave out where nobody else will read it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import InvalidInput
from dsv3calc.reading.files import shown_path

if TYPE_CHECKING:
    from dsv3calc.reading.source import Source

KINDS = ("hardware", "layout", "network", "setup")
"""Kinds whose files may leave out their name, title and sources."""


PLACEHOLDER = "YYYY-MM"
"""What a file to start from has for the date of its source."""


def completed(kind: str, path: str, source: Source, data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a preset with its name, title and sources filled in.

    The name is that of the file. ``source`` says in a line where the values are from, such as "own
    measurement"; a file that says nothing is an assumption, which answers print.

    Raises
    ------
    InvalidInput
        If the source is still the placeholder of a file to start from.
    """
    if kind not in KINDS:
        return data
    stem = re.sub(r"\.\w+$", "", os.path.basename(path))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("._-")[:100] or "own"
    found = {"name": name, "title": data.get("name", name)} | data
    if "sources" in data or "provenance" in data:
        return found
    line = found.pop("source", None)
    if isinstance(line, str) and PLACEHOLDER in line:
        what = f"source still has the placeholder {PLACEHOLDER}"
        why = "results name where their numbers are from"
        valid = "the source of your numbers, such as: own measurement, 2026-11"
        place = source.position(("source",))
        raise InvalidInput([source.problem(place, what, path="source", why=why, valid=valid)])
    kind_of_source, citation = "measured", line
    if line is None:
        kind_of_source, citation = "assumed", f"stated in {shown_path(path)}, which names no source"
    sources = {"own": {"kind": kind_of_source, "citation": citation}}
    return found | {"sources": sources, "provenance": {"default": "own"}}
