"""Table of ``calibrate`` for documents: entries with their errors; a terminal shows the block."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer


def build(answer: Answer, *, exact: bool) -> View:  # noqa: ARG001 - as every view
    """Build the table."""
    cells = [
        [
            row["hardware"],
            row["entry"],
            f"{row['points']:,}",
            *(
                "-" if row[name] is None else f"{row[name]:.1%}"
                for name in ("median_error", "p10", "p90", "unseen_error", "transfer_error")
            ),
        ]
        for row in answer.rows
    ]
    headings = [
        "hardware", "entry", "times", "median error", "p10", "p90", "other half", "other devices",
    ]  # fmt: skip
    return View("entries fitted", [Table("", headings, cells, left=[1], labels=2)])
