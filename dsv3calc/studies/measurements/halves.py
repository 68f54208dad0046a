"""Halves of the measurements, and groups: what is fitted to is not what it is scored on."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.studies.measurements.cases import Case


def half_of(group: str) -> int:
    """Return the half that a group belongs to, 0 or 1: fixed by its name alone.

    >>> half_of("gemm|4096|4096"), half_of("gemm|10240|8192")
    (0, 1)
    """
    return hashlib.sha256(group.encode()).digest()[0] & 1


def folds(cases: Sequence[Case]) -> list[tuple[list[Case], list[Case]]]:
    """Return what to fit to and what to score on: each half against the other.

    Where all groups fall into one half, each group is scored by a fit to the others; one group
    alone cannot be scored.
    """
    halves = ([], [])  # type: tuple[list[Case], list[Case]]
    for case in cases:
        halves[half_of(case.row.group)].append(case)
    if all(halves):
        return [(halves[0], halves[1]), (halves[1], halves[0])]
    groups = sorted({case.row.group for case in cases})
    if len(groups) == 1:
        return []
    return [
        (
            [case for case in cases if case.row.group != group],
            [case for case in cases if case.row.group == group],
        )
        for group in groups
    ]
