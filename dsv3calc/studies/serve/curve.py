"""A server over batches: its lines at each, up to what memory holds and beyond."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger
from dsv3calc.studies.answer import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.serve.server import Served, Server

MOST_BATCHES = 40
"""Batches of a curve: powers of two, and the most that fits."""

BEYOND = 4
"""A curve ends at this multiple of what memory holds."""

LARGEST = 1024
"""Where a curve ends that memory does not limit."""


def curve(server: Server, answer: Answer) -> list[Served]:
    """Put a column into an answer for each batch, and a row with its lines.

    Raises
    ------
    UsageError
        If the largest batch has too many powers of two below it.
    """
    found = []
    least = server.at(server.least)
    for batch in batches(server.least, least.most, server.query.batch):
        served = server.at(batch, answer)
        found.append(served)
        ledger = Ledger(f"batch {batch:,}", list(served.lines.values()))
        answer.columns.append(Column(f"batch-{batch}", f"batch {batch:,}", ledger))
    names = dict.fromkeys(name for served in found for name in served.lines)
    answer.rows = [
        {"batch": served.batch}
        | {name: served.lines[name].value if name in served.lines else None for name in names}
        for served in found
    ]
    return found


def batches(least: int, most: int | None, largest: int | None) -> list[int]:
    """Return the batches of a curve: powers of two up to the largest, and what memory holds.

    >>> batches(1, 11, None)
    [1, 2, 4, 8, 11, 16, 32]
    >>> batches(1, 11, 6)
    [1, 2, 4, 6]
    """
    if largest is None:
        largest = max(BEYOND * most, least) if most else LARGEST
        last = list(_doubled(least, largest))
    else:
        if largest < least:
            raise UsageError(f"--batch {largest}: the smallest batch is {least}")
        last = [*_doubled(least, largest), largest]
    if len(last) > MOST_BATCHES:
        raise UsageError(
            f"--curve has {len(last)} batches up to {largest:,}: {MOST_BATCHES} at most",
            "--batch 1024 ends it there",
        )
    if most is not None and least <= most <= largest:
        last.append(most)
    return sorted({*last})


def _doubled(least: int, most: int) -> Iterator[int]:
    while least <= most:
        yield least
        least *= 2
