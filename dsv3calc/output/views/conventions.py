"""Table of ``conventions list``: one section for each convention."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer


WIDTH = 55
"""Columns of the meanings: with the choices beside them a page of 80."""


def build(answer: Answer, *, exact: bool) -> View:  # noqa: ARG001 - one interface
    """Build the table."""
    rows: list[list[str]] = []
    section = ""
    for row in answer.rows:
        if row["convention"] != section:
            section = row["convention"]
            rows.append([section])
            if row["option"]:
                rows.append(["", f"chosen with {row['option']}"])
        mark = "*" if row["default"] else " "
        first, *more = wrap(row["meaning"], WIDTH) + wrap(", ".join(row["fixes"]), WIDTH)
        for heading in ("papers", "tools"):
            if row[heading]:
                more += wrap(f"{heading}: {', '.join(row[heading])}", WIDTH, subsequent_indent="  ")
        rows.append([f"{mark} {row['choice']}", first])
        rows += [["", line] for line in more]
    return View("* is the default", [Table("", ["choice", "meaning"], rows, left=(1,))])
