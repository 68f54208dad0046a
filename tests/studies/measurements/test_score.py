"""Scores: quantiles and shares by hand, intervals that repeat."""

import pytest

from dsv3calc.studies.measurements.blocks import quantile
from dsv3calc.studies.measurements.score import Scored, interval, score_of


def scored(error, group="g", *, seen=False):
    return Scored(
        area="a", kind="k", group=group, row=f"r{group}{error}", hardware="h100", size="",
        measured=1.0, predicted=1.0 + error, roofline=0.5, place="", origin="", seen=seen,
    )  # fmt: skip


def test_a_score_counts_unsigned_and_signed_errors():
    found = score_of([scored(error) for error in (-0.3, -0.05, 0.0, 0.15, 0.6)])
    assert found.median == pytest.approx(0.15)
    assert found.bias == pytest.approx(0)
    assert (found.within_10, found.within_20, found.within_50) == (0.4, 0.6, 0.8)
    assert found.roofline == pytest.approx(0.5)
    assert not found.seen


def test_times_that_a_fit_saw_count_only_where_there_are_no_others():
    mixed = [scored(0.0, seen=True), scored(0.2)]
    assert score_of(mixed).median == pytest.approx(0.2)
    assert score_of(mixed[:1]).seen


def test_an_interval_draws_groups_and_repeats():
    errors = [scored(0.1 * n, group=f"g{n}") for n in range(10)]
    low, high = interval(errors)
    assert (low, high) == interval(list(reversed(errors)))
    assert low < quantile([abs(e.error) for e in errors], 0.5) < high
    same = [scored(0.2, group="one") for _ in range(5)]
    assert interval(same) == pytest.approx((0.2, 0.2))
