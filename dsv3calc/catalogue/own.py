"""Presets of one's own: what a file may leave out where nobody else will read it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
from typing import Any

from dsv3calc.reading.files import shown_path

KINDS = ("hardware", "layout", "network", "setup")
"""Kinds whose files may leave out their name, title and sources."""


def completed(kind: str, path: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a preset with its name, title and sources filled in.

    The name is that of the file. ``source`` says in a line where the values are from, such as "own
    measurement"; a file that says nothing is an assumption, which answers print.
    """
    if kind not in KINDS:
        return data
    stem = re.sub(r"\.\w+$", "", os.path.basename(path))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("._-")[:100] or "own"
    found = {"name": name, "title": data.get("name", name)} | data
    if "sources" in data or "provenance" in data:
        return found
    line = found.pop("source", None)
    kind_of_source, citation = "measured", line
    if line is None:
        kind_of_source, citation = "assumed", f"stated in {shown_path(path)}, which names no source"
    sources = {"own": {"kind": kind_of_source, "citation": citation}}
    return found | {"sources": sources, "provenance": {"default": "own"}}
