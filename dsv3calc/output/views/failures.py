"""Table of ``failures``: interruptions, checkpoints, the share that is lost, the run."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View, show

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

ROWS = (
    ("gpu_hours_per_interruption", "GPU-hours between interruptions"),
    ("mtbf", "mean time between interruptions"),
    ("checkpoint_bytes", "checkpoint"),
    ("checkpoint_seconds", "  time to write it, at least"),
    ("best_interval", "best interval between checkpoints"),
    ("interval", "interval used"),
    ("useful_share", "share of the time that is useful"),
    ("gpu_hours", "GPU-hours of the run without failures"),
    ("gpu_hours_with_failures", "  with them"),
    ("interruptions", "interruptions of the run, expected"),
    ("silent_corruptions", "  by silent corruptions that are noticed"),
)


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table."""
    column = answer.columns[0]
    named = column.ledger.named()
    rows = [
        [words, show(named[f"failures.{name}"], exact=exact)]
        for name, words in ROWS
        if f"failures.{name}" in named
    ]
    heading = [
        f"{column.title}: failures of a run on {answer.layout}, {answer.query['hardware']}",
        f"events as in {answer.query['failures']}",
    ]
    return View(heading, [Table("", ["", ""], rows)])
