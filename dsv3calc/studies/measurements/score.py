"""Scores: how far predictions lie from measurements, and how sure that is."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.studies.measurements.blocks import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

RESAMPLES, LEAST_RESAMPLES = 400, 40
MOST_RANKED = 4_000_000
"""Errors that are looked at for an interval."""
SEED = 20260101
LOW, HIGH = 0.05, 0.95


class Scored(msgspec.Struct, frozen=True):
    """A time that was predicted and measured.

    ``roofline`` is the bound by the peaks, ``flat`` the time of a training step at 40 % of the
    peak; ``seen`` says that a fit saw the time.
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
    flat: float | None = None

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
    flat: float | None = None


def score_of(scored: Sequence[Scored]) -> Score:
    """Score times: those that no fit saw, or all where there are no such."""
    unseen = [each for each in scored if not each.seen]
    counted = unseen or list(scored)
    errors = [each.error for each in counted]
    sizes = [abs(each) for each in errors]
    low, high = interval(counted)
    flat = [abs(each.flat / each.measured - 1) for each in counted if each.flat is not None]
    median = quantile(sizes, 0.5)
    return Score(
        rows=len({each.row for each in counted}),
        groups=len({each.group for each in counted}),
        points=len(counted),
        median=median,
        low=min(low, median),
        high=max(high, median),
        bias=quantile(errors, 0.5),
        within_10=_within(sizes, 0.1),
        within_20=_within(sizes, 0.2),
        within_50=_within(sizes, 0.5),
        roofline=quantile([abs(each.roofline_error) for each in counted], 0.5),
        seen=not unseen,
        flat=quantile(flat, 0.5) if flat else None,
    )


def _within(sizes: Sequence[float], limit: float) -> float:
    return sum(each <= limit for each in sizes) / len(sizes)


def interval(scored: Sequence[Scored]) -> tuple[float, float]:
    """Return the 90 % interval of the median unsigned error, groups drawn with replacement.

    The draws are the same each time; of very many times there are fewer.
    """
    names = sorted({each.group for each in scored})
    numbers = {name: number for number, name in enumerate(names)}
    ranked = sorted((abs(each.error), numbers[each.group]) for each in scored)
    sizes = [0] * len(names)
    for _, number in ranked:
        sizes[number] += 1
    source = random.Random(SEED)  # noqa: S311 - draws that anyone can repeat
    draws = max(LEAST_RESAMPLES, min(RESAMPLES, MOST_RANKED // len(ranked)))
    medians = []
    for _ in range(draws):
        times = [0] * len(names)
        for number in source.choices(range(len(names)), k=len(names)):
            times[number] += 1
        half = sum(count * size for count, size in zip(times, sizes, strict=True)) / 2
        medians.append(_weighted(ranked, times, half))
    return quantile(medians, LOW), quantile(medians, HIGH)


def _weighted(ranked: Sequence[tuple[float, int]], times: Sequence[int], half: float) -> float:
    """Return the error at which half of the weight is reached, each as often as its group."""
    error = 0.0
    for error, number in ranked:
        half -= times[number]
        if half <= 0:
            return error
    return error
