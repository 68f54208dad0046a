"""What keeps a pipeline schedule from running with a layout's degrees and micro-batches."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.schema.layout import FOLDED, PAIRED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.schema.layout import Layout

_FEWEST_RANKS = 2
"""Ranks below which a schedule other than the plain ones has nothing to fold or interleave."""


def schedule_problems(layout: Layout, micro_batches: int) -> Iterator[tuple[str, str, str]]:
    """Yield what keeps a schedule from running: the field, what is wrong, why and what is valid.

    Parameters
    ----------
    layout
        Its ``schedule``, ``virtual_pipeline`` and ``pp`` are looked at.
    micro_batches
        Those of a replica in a step: global_batch / (dp x micro_batch).
    """
    schedule, pp = layout.schedule, layout.pp
    if micro_batches < 1:
        yield "micro_batches", f"{micro_batches} micro-batches", "a step has at least 1"
    if schedule == "interleaved":
        yield from _interleaved_problems(layout, micro_batches)
    elif layout.virtual_pipeline > 1:
        own = "; two chunks to a rank are its own" if schedule in FOLDED else ""
        yield (
            "virtual_pipeline",
            f"virtual_pipeline {layout.virtual_pipeline} with schedule {schedule}",
            f"only interleaved takes it{own}: set virtual_pipeline 1, or schedule interleaved",
        )
    if schedule in FOLDED and pp < _FEWEST_RANKS:
        yield (
            "pp",
            f"schedule {schedule} with pp {pp}",
            "its V goes down the ranks and back up: take pp 2 or more, or schedule 1f1b",
        )
    if schedule == "dualpipe" and pp % 2:
        yield (
            "pp",
            f"schedule dualpipe with pp {pp}",
            f"it pairs each stage with the mirrored one: take pp {_even_neighbours(pp)}",
        )
    if schedule in PAIRED and micro_batches < 2 * pp:
        yield _too_few(schedule, micro_batches, 2 * pp, f"2 x pp {pp}")
    elif schedule == "dualpipe" and micro_batches % 2:
        yield (
            "micro_batches",
            f"schedule dualpipe with {micro_batches} micro-batches",
            f"half of them enter at either end: take {_even_neighbours(micro_batches)}",
        )
    elif schedule == "zbv" and micro_batches < 2 * pp - 1:
        yield _too_few(schedule, micro_batches, 2 * pp - 1, f"2 x pp {pp} - 1")


def _interleaved_problems(layout: Layout, micro_batches: int) -> Iterator[tuple[str, str, str]]:
    pp = layout.pp
    if layout.virtual_pipeline < _FEWEST_RANKS:
        yield (
            "virtual_pipeline",
            f"schedule interleaved with virtual_pipeline {layout.virtual_pipeline}",
            "one chunk per rank cannot be interleaved: take 2 or more, or schedule 1f1b",
        )
    if pp < _FEWEST_RANKS:
        yield (
            "pp",
            f"schedule interleaved with pp {pp}",
            "the chunks of a single rank follow each other: take pp 2 or more, or schedule 1f1b",
        )
    elif micro_batches % pp:
        below = micro_batches - micro_batches % pp
        choices = f"{below} or {below + pp}" if below > 0 else str(pp)
        yield (
            "micro_batches",
            f"schedule interleaved with {micro_batches} micro-batches",
            f"groups of pp {pp} pass a chunk before the next chunk's turn: take {choices}",
        )


def _too_few(schedule: str, micro_batches: int, least: int, bound: str) -> tuple[str, str, str]:
    return (
        "micro_batches",
        f"schedule {schedule} with {micro_batches} micro-batches",
        f"fewer than {bound} do not fill its pipeline: take {least} or more",
    )


def _even_neighbours(odd: int) -> str:
    return f"{odd - 1} or {odd + 1}" if odd > 1 else f"{odd + 1}"
