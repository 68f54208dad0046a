"""Moments of a schedule against every moment of the published orders, for chunks of any size."""

import random
from functools import cache
from operator import gt
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
from drawn import examples
from hypothesis import given
from hypothesis import strategies as st
from pipeline_orders import SCHEDULES, held, stages_of

from dsv3calc.accounting.placement.orders import order_of
from dsv3calc.accounting.placement.schedule_problems import schedule_problems
from dsv3calc.accounting.placement.schedules import chunks_of, peak_instants, virtual_stages
from dsv3calc.ledger.line import given as given_line

every_schedule = pytest.mark.parametrize("schedule", SCHEDULES)
TWO_CHUNKS = ("zbv", "dualpipe", "dualpipev")
ALTERNATING = ("dualpipe", "dualpipev")
LINES = {"gpipe": 1, "1f1b": 1, "zb1p": 4, "zbv": 12, "dualpipe": 10, "dualpipev": 10}
"""Counts that a rank of each schedule needs; interleaved has v at each of v moments."""


def layout_of(schedule, pp, chunks=1):
    virtual = chunks if schedule == "interleaved" else 1
    return SimpleNamespace(name="drawn", schedule=schedule, pp=pp, virtual_pipeline=virtual)


def moments(schedule, pp, chunks, rank, micro_batches):
    layout = layout_of(schedule, pp, chunks)
    line = given_line("rank", rank, "1")
    stages = chunks_of("rank", layout, line)
    count = given_line("micro_batches", micro_batches, "1")
    return peak_instants("rank", layout, line, stages, count)


def values(moment):
    """Return (in flight per chunk, pending per chunk)."""
    in_flight = tuple(line.value for line in moment.in_flight)
    pending = tuple(line.value for line in moment.pending)
    return in_flight, pending or (0,) * len(in_flight)


def size(state, whole, weights):
    in_flight, pending = state
    return sum(n * a for n, a in zip(in_flight, whole, strict=True)) + sum(
        n * w for n, w in zip(pending, weights, strict=True)
    )


@st.composite
def runs(draw, schedule):
    """Draw (pp, chunks, micro-batches) that a schedule can run."""
    plain = schedule in ("gpipe", "1f1b", "zb1p")
    pp = draw(st.integers(1 if plain else 2, 9))
    if plain:
        return pp, 1, draw(st.integers(1, 4 * pp))
    if schedule == "interleaved":
        return pp, draw(st.integers(2, 6)), pp * draw(st.integers(1, 6))
    if schedule == "dualpipe":
        pp += pp % 2
        return pp, 2, 2 * draw(st.integers(pp, 3 * pp))
    return pp, 2, draw(st.integers(2 * pp - (schedule == "zbv"), 5 * pp))


@every_schedule
@examples(60)
@given(data=st.data())
def test_the_peak_is_at_a_moment_whatever_the_sizes_of_chunks(schedule, data):
    pp, chunks, count = data.draw(runs(schedule))
    generator = random.Random(data.draw(st.integers(0, 2**32)))  # noqa: S311 - no secret
    for rank in range(pp):
        walked = set(held(order_of(schedule, rank, pp, chunks, count), chunks))
        found = {values(moment) for moment in moments(schedule, pp, chunks, rank, count)}
        assert found <= walked, "a moment that never comes"
        for _ in range(30):
            whole = [generator.choice((0, 1, generator.randrange(100))) for _ in range(chunks)]
            for weights in (
                [generator.randint(0, most) for most in whole],
                [generator.randrange(300) for _ in whole],
            ):
                peak, most = (
                    max(size(state, whole, weights) for state in states)
                    for states in (walked, found)
                )
                if schedule in ALTERNATING and any(map(gt, weights, whole)):
                    # exact for chunks of one size, never more than the peak for others
                    assert most <= peak
                    alike = [whole[0]] * chunks, [weights[0]] * chunks
                    assert max(size(state, *alike) for state in found) == max(
                        size(state, *alike) for state in walked
                    )
                else:
                    assert most == peak


@every_schedule
@examples(20)
@given(data=st.data())
def test_problems_tell_what_runs(schedule, data):
    pp, chunks, count = data.draw(runs(schedule))
    assert not list(schedule_problems(layout_of(schedule, pp, chunks), count))


@every_schedule
def test_chunks_stand_where_the_depth_is_walked(schedule):
    for pp in (2, 4, 6):
        for chunks in (
            (2, 3) if schedule == "interleaved" else (2 if schedule in TWO_CHUNKS else 1,)
        ):
            layout = layout_of(schedule, pp, chunks)
            held_once = []
            for rank in range(pp):
                lines = chunks_of(f"rank.{rank}", layout, given_line("rank", rank, "1"))
                stages = [line.value for line in lines]
                assert stages == stages_of(schedule, rank, pp, chunks)
                assert [line.name for line in lines] == [
                    f"rank.{rank}.chunk.{chunk}.stage" for chunk in range(chunks)
                ]
                held_once += stages
            copies = 2 if schedule == "dualpipe" else 1
            depth = virtual_stages(layout).value
            assert sorted(held_once) == sorted([*range(depth)] * copies)


@every_schedule
def test_no_more_lines_than_needed(schedule):
    for chunks in range(2, 7) if schedule == "interleaved" else (1,):
        found = moments(schedule, 8, chunks, 3, 48)
        every = [line for each in found for line in (*each.in_flight, *each.pending)]
        lines = [line for line in every if line.rule != "given"]
        assert len(lines) == LINES.get(schedule, chunks**2)
        assert len({line.name for line in lines}) == len(lines)
        for line in lines:
            assert line.unit == "1"
            assert all(each.evaluate() == each.value for each in line.walk())


@every_schedule
@examples(15)
@given(data=st.data())
def test_arrays_agree_with_integers(schedule, data):
    cases = [data.draw(runs(schedule)) for _ in range(4)]
    chunks = cases[0][1]  # a category: not one of the columns
    rows = [(pp, data.draw(st.integers(0, pp - 1)), count) for pp, _, count in cases]
    pp, rank, count = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    found = [values(each) for each in moments(schedule, pp, chunks, rank, count)]
    for number, (pp, rank, count) in enumerate(rows):
        exact = [values(each) for each in moments(schedule, pp, chunks, rank, count)]
        assert exact == [
            tuple(
                tuple(np.broadcast_to(column, len(rows))[number] for column in part)
                for part in moment
            )
            for moment in found
        ]


NAMES = sympy.symbols("pp rank micro_batches", integer=True, nonnegative=True)


@cache
def in_symbols(schedule, chunks):
    pp, rank, count = NAMES
    return [values(each) for each in moments(schedule, pp, chunks, rank, count)]


@every_schedule
@examples(8)
@given(data=st.data())
def test_symbols_agree_with_integers(schedule, data):
    pp, _, count = data.draw(runs(schedule))
    chunks = 2 if schedule in (*TWO_CHUNKS, "interleaved") else 1
    rank = data.draw(st.integers(0, pp - 1))
    put = dict(zip(NAMES, map(sympy.Integer, (pp, rank, count)), strict=True))
    exact = [values(each) for each in moments(schedule, pp, chunks, rank, count)]
    assert exact == [
        tuple(tuple(sympy.sympify(form).xreplace(put) for form in part) for part in moment)
        for moment in in_symbols(schedule, chunks)
    ]


@pytest.mark.parametrize("chunks", [2, 3, 4, 5, 6])
def test_every_moment_of_the_interleaved_schedule_is_needed(chunks):
    """For each of them there are sizes of chunks that make it the only peak."""
    generator = random.Random(chunks)  # noqa: S311 - no secret
    alone = set()
    for rank in range(8):
        found = [values(moment) for moment in moments("interleaved", 8, chunks, rank, 64)]
        for _ in range(400):
            whole = [generator.random() for _ in range(chunks)]
            sizes = [size(state, whole, whole) for state in found]
            second, most = sorted(sizes)[-2:]
            if most - second > 1e-9:
                alone.add(sizes.index(most))
    assert alone == set(range(chunks))


def test_moments_by_hand():
    """Rank 1 of 4, enough micro-batches."""
    found = {
        schedule: [
            (
                [line.value for line in moment.in_flight],
                [line.value for line in moment.pending],
            )
            for moment in moments(schedule, 4, 2, 1, 16)
        ]
        for schedule in SCHEDULES
    }
    assert found == {
        "gpipe": [([16], [])],
        "1f1b": [([3], [])],
        "zb1p": [([3], [1]), ([2], [2])],
        "zbv": [
            *(([7, 1], []), ([6, 2], [])),  # after forward passes of either chunk
            *(([6, 1], [0, 1]), ([6, 1], [1, 0])),  # after backward passes
            *(([3, 0], [1, 1]), ([2, 0], [2, 1])),  # draining
        ],
        "dualpipe": [([3, 2], []), ([2, 1], [0, 0]), ([0, 0], [1, 1])],
        "dualpipev": [([7, 2], []), ([6, 1], [0, 1]), ([2, 0], [1, 1])],
        # 9 passes (4 of chunk 0, 4 of chunk 1, 1 more of chunk 0); 3 pairs later 8 and 4 less 0, 3
        "interleaved": [([5, 4], []), ([8, 1], [])],
    }


WRONG = [
    ("1f1b", 8, 2, 16, {"virtual_pipeline": "schedule interleaved"}),
    ("zbv", 8, 2, 16, {"virtual_pipeline": "two chunks to a rank are its own"}),
    ("interleaved", 8, 1, 16, {"virtual_pipeline": "2 or more"}),
    ("interleaved", 8, 2, 20, {"micro_batches": "take 16 or 24"}),
    ("interleaved", 8, 2, 7, {"micro_batches": "take 8"}),
    ("interleaved", 1, 1, 7, {"virtual_pipeline": "1f1b", "pp": "2 or more"}),
    ("dualpipe", 7, 1, 16, {"pp": "take pp 6 or 8"}),
    ("dualpipe", 1, 1, 16, {"pp": "take pp 2"}),
    ("dualpipe", 8, 1, 14, {"micro_batches": "take 16 or more"}),
    ("dualpipe", 8, 1, 17, {"micro_batches": "take 16 or 18"}),
    ("dualpipe", 7, 2, 3, {"virtual_pipeline": "1", "pp": "6 or 8", "micro_batches": "14 or more"}),
    ("dualpipev", 8, 1, 15, {"micro_batches": "take 16 or more"}),
    ("dualpipev", 1, 1, 16, {"pp": "2 or more"}),
    ("zbv", 8, 1, 14, {"micro_batches": "take 15 or more"}),
    ("zbv", 1, 1, 16, {"pp": "2 or more"}),
    ("gpipe", 4, 1, 0, {"micro_batches": "at least 1"}),
]


@pytest.mark.parametrize(("schedule", "pp", "virtual", "count", "expected"), WRONG)
def test_a_schedule_that_cannot_run_is_told_why(schedule, pp, virtual, count, expected):
    layout = SimpleNamespace(name="drawn", schedule=schedule, pp=pp, virtual_pipeline=virtual)
    problems = list(schedule_problems(layout, count))
    assert [field for field, _, _ in problems] == list(expected)
    for field, what, why in problems:
        assert schedule in what or field == "micro_batches"
        assert expected[field] in why


@pytest.mark.parametrize(("schedule", "count"), [("dualpipev", 7), ("zbv", 5)])
def test_a_v_takes_odd_numbers_of_ranks_and_micro_batches(schedule, count):
    assert not list(schedule_problems(layout_of(schedule, 3), count))
    assert list(schedule_problems(layout_of(schedule, 3), count - 2))
