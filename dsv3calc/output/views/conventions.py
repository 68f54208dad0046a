"""Table of ``conventions list``: one section for each convention."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer


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
        rows.append([f"{mark} {row['choice']}", row["meaning"]])
        if row["fixes"]:
            rows.append(["", ", ".join(row["fixes"])])
        rows += [
            ["", f"{heading}: {', '.join(row[heading])}"]
            for heading in ("papers", "tools")
            if row[heading]
        ]
    return View("* is the default", [Table("", ["choice", "meaning"], rows, left=(1,), words=True)])
