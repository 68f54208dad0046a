"""A schedule by the clock against the longest path through its passes, and against bounds."""

import itertools
import random

import numpy as np
import pytest
from pipeline_orders import SCHEDULES, key_of, needs, run, stages_of

from dsv3calc.accounting.placement.orders import order_of
from dsv3calc.accounting.placement.walk import walk

CASES = {
    "gpipe": (3, 1, 4),
    "1f1b": (3, 1, 5),
    "interleaved": (3, 2, 6),
    "zb1p": (4, 1, 6),
    "zbv": (3, 2, 7),
    "dualpipe": (4, 2, 10),
    "dualpipev": (3, 2, 7),
}
"""Ranks, chunks of a rank, micro-batches."""

every_schedule = pytest.mark.parametrize("schedule", SCHEDULES)


def drawn(schedule, seed):
    pp, chunks, count = CASES[schedule]
    generator = random.Random(seed)  # noqa: S311 - no secret
    stages = [stages_of(schedule, rank, pp, chunks) for rank in range(pp)]
    seconds = [
        [{kind: generator.randint(1, 40) for kind in "FIW"} for _ in held] for held in stages
    ]
    return count, stages, seconds


def longest_path(schedule, count, stages, seconds):
    """Raise the ends of all passes until none begins before what it waits for has ended."""
    pp, last = len(stages), max(map(max, stages))
    nodes, makers = [], {}
    for rank, held in enumerate(stages):
        steps = order_of(schedule, rank, pp, len(held), count)
        for number, step in enumerate(steps):
            keys = [key_of(schedule, held, each) for each in step]
            length = 0
            for kind, chunk, _ in step:
                own = seconds[rank][chunk]
                length += own["I"] + own["W"] if kind == "B" else own[kind]
            nodes.append([length, number > 0, keys])
            makers |= dict.fromkeys(keys, len(nodes) - 1)
    waits = [
        [index - 1] * after + [makers[need] for key in keys for need in needs(key, last)]
        for index, (_, after, keys) in enumerate(nodes)
    ]  # fmt: skip
    ends = [length for length, _, _ in nodes]
    changed = True
    while changed:
        changed = False
        for index, (length, _, _) in enumerate(nodes):
            end = length + max((ends[each] for each in waits[index] if each != index), default=0)
            if end > ends[index]:
                ends[index], changed = end, True
    return max(ends)


@every_schedule
def test_the_last_pass_ends_with_the_longest_path(schedule):
    for seed in range(4):
        drawn_case = drawn(schedule, seed)
        assert walk(schedule, *drawn_case).seconds == longest_path(schedule, *drawn_case)


@every_schedule
def test_equal_stages_are_idle_as_another_clock_has_it(schedule):
    pp, chunks, count = CASES[schedule]
    stages = [stages_of(schedule, rank, pp, chunks) for rank in range(pp)]
    found = walk(schedule, count, stages, [[{"F": 3, "I": 4, "W": 2}] * len(stages[0])] * pp)
    other = run(schedule, pp, chunks, count, {"F": 3, "B": 6, "I": 4, "W": 2, "BF": 9})
    for events, idle in zip(found.ranks, other, strict=True):
        assert found.seconds - sum(event.end - event.start for event in events) == idle


@every_schedule
def test_a_rank_does_one_thing_at_a_time_and_all_of_it(schedule):
    count, stages, seconds = drawn(schedule, 7)
    found = walk(schedule, count, stages, seconds)
    each = count // (2 if schedule == "dualpipe" else 1)
    for events, chunks in zip(found.ranks, seconds, strict=True):
        assert all(a.end <= b.start for a, b in itertools.pairwise(events))
        busy = sum(event.end - event.start for event in events)
        assert busy == each * sum(sum(chunk.values()) for chunk in chunks)
        assert busy <= found.seconds


@every_schedule
def test_no_step_is_shorter_where_a_stage_is_longer(schedule):
    count, stages, seconds = drawn(schedule, 3)
    most = {kind: max(c[kind] for chunks in seconds for c in chunks) for kind in "FIW"}
    least = {kind: min(c[kind] for chunks in seconds for c in chunks) for kind in "FIW"}
    found = walk(schedule, count, stages, seconds).seconds
    low, high = (
        walk(schedule, count, stages, [[each] * len(held) for held in stages]).seconds
        for each in (least, most)
    )
    assert low <= found <= high


@every_schedule
def test_arrays_are_walked_like_numbers(schedule):
    cases = [drawn(schedule, seed) for seed in (1, 2)]
    count, stages, _ = cases[0]
    both = [
        [
            {
                kind: np.array([float(each[2][rank][chunk][kind]) for each in cases])
                for kind in "FIW"
            }
            for chunk in range(len(held))
        ]
        for rank, held in enumerate(stages)
    ]
    found = walk(schedule, count, stages, both).seconds
    assert list(found) == [walk(schedule, *each).seconds for each in cases]
