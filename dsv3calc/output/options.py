"""How an answer is to be shown."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import msgspec

COLORS = ("auto", "always", "never")
"""What --color takes."""


class OutputOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer is shown, and where.

    ``notes`` is one of ``output.notes.NOTES``; ``quiet`` leaves out warnings as well. ``depth``
    limits an explanation's tree, ``plot`` draws an answer's picture below its tables.
    ``trace`` is a file for the passes of a pipeline. ``ledger`` adds to JSON how every number
    follows.
    """

    format: str = "table"
    file: str | None = None
    force: bool = False
    exact: bool = False
    notes: str = "short"
    quiet: bool = False
    color: str = "auto"
    depth: int | None = None
    plot: bool = False
    trace: str | None = None
    ledger: bool = False
