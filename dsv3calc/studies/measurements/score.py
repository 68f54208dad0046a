"""Scores: how far predictions lie from measurements, and how sure that is."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.studies.measurements.blocks import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

RESAMPLES = 400
SEED = 20260101
LOW, HIGH = 0.05, 0.95


class Scored(msgspec.Struct, frozen=True):
    """A time that was predicted and measured.

    ``roofline`` is the bound by the peaks; ``seen`` says that a fit saw the time.
    """

    area: str
    kind: str
    group: str
    row: str
    hardware: str
    size: str
    measured: float
    predicted: float
    roofline: float
    place: str
    origin: str
    seen: bool

    @property
    def error(self) -> float:
        """Predicted over measured, less 1: 0.1 is 10 % too long."""
        return self.predicted / self.measured - 1

    @property
    def roofline_error(self) -> float:
        """The same for the bound."""
        return self.roofline / self.measured - 1


class Score(msgspec.Struct, frozen=True):
    """The errors of one area, or of one kind of it; ``low`` and ``high`` bound the median."""

    rows: int
    groups: int
    points: int
    median: float
    low: float
    high: float
    bias: float
    within_10: float
    within_20: float
    within_50: float
    roofline: float
    seen: bool


def score_of(scored: Sequence[Scored]) -> Score:
    """Score times: those that no fit saw, or all where there are no such."""
    unseen = [each for each in scored if not each.seen]
    counted = unseen or list(scored)
    errors = [each.error for each in counted]
    sizes = [abs(each) for each in errors]
    low, high = interval(counted)
    return Score(
        rows=len({each.row for each in counted}),
        groups=len({each.group for each in counted}),
        points=len(counted),
        median=quantile(sizes, 0.5),
        low=low,
        high=high,
        bias=quantile(errors, 0.5),
        within_10=_within(sizes, 0.1),
        within_20=_within(sizes, 0.2),
        within_50=_within(sizes, 0.5),
        roofline=quantile([abs(each.roofline_error) for each in counted], 0.5),
        seen=not unseen,
    )


def _within(sizes: Sequence[float], limit: float) -> float:
    return sum(each <= limit for each in sizes) / len(sizes)


def interval(scored: Sequence[Scored]) -> tuple[float, float]:
    """Return the 90 % interval of the median unsigned error, groups drawn with replacement.

    The draws are the same each time.
    """
    groups: dict[str, list[float]] = {}
    for each in scored:
        groups.setdefault(each.group, []).append(abs(each.error))
    listed = [groups[name] for name in sorted(groups)]
    source = random.Random(SEED)  # noqa: S311 - draws that anyone can repeat
    medians = [
        quantile([e for chosen in source.choices(listed, k=len(listed)) for e in chosen], 0.5)
        for _ in range(RESAMPLES)
    ]
    return quantile(medians, LOW), quantile(medians, HIGH)
