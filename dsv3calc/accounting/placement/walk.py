"""A schedule by the clock: each pass as soon as its rank is free and what it needs is there."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dsv3calc.accounting.placement.orders import WEIGHTS, B, F, Step, order_of
from dsv3calc.numbers import ops
from dsv3calc.schema.layout import SPLIT_BACKWARD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.schema.layout import Layout

MOST_PASSES = 200_000
"""Passes of all ranks beyond which a schedule is not walked: it takes a second."""

PassSeconds = dict[str, Any]
"""Kind of a pass (:mod:`~dsv3calc.accounting.placement.orders`) -> its seconds."""


class Event(NamedTuple):
    """A step of a rank: its passes, when it starts and when it ends."""

    step: Step
    start: Any
    end: Any


class Walk(NamedTuple):
    """The steps of each rank by the clock, and the time at which the last of them ends."""

    ranks: list[list[Event]]
    seconds: Any


def passes_of(layout: Layout, micro_batches: int) -> int:
    """Count the passes of all ranks in a step, fewer than which a walk need not go through."""
    parts = 3 if layout.schedule in SPLIT_BACKWARD else 2
    chunks = layout.virtual_pipeline if layout.schedule == "interleaved" else 1
    return parts * micro_batches * layout.pp * chunks


def walk(
    schedule: str,
    micro_batches: int,
    stages: Sequence[Sequence[int]],
    seconds: Sequence[Sequence[Mapping[str, Any]]],
) -> Walk:
    """Run a step of a schedule by the clock.

    Parameters
    ----------
    schedule
        It runs with so many ranks and micro-batches: see ``schedule_problems``.
    micro_batches
        Those of a replica; under DualPipe of both directions together.
    stages
        Of each rank the stage of each of its chunks.
    seconds
        Of each rank and chunk the seconds of its forward pass (``F``), and of the gradients of
        inputs (``I``) and of weights (``W``): numbers or arrays. A backward pass takes both; a
        forward and a backward pass that overlap take as long as one after the other.
    """
    clock = _Clock(schedule, micro_batches, stages, seconds)
    while clock.advance():
        pass
    return Walk(clock.events, clock.last)


class _Clock:
    """The state of a walk: when each rank is free, and when each pass was done."""

    def __init__(
        self,
        schedule: str,
        micro_batches: int,
        stages: Sequence[Sequence[int]],
        seconds: Sequence[Sequence[Mapping[str, Any]]],
    ) -> None:
        pp = len(stages)
        self.directed = schedule == "dualpipe"
        self.stages = stages
        self.deepest = max(map(max, stages))
        self.seconds = [
            [{**each, B: each["I"] + each[WEIGHTS]} for each in chunks] for chunks in seconds
        ]
        self.orders = [
            order_of(schedule, rank, pp, len(held), micro_batches)
            for rank, held in enumerate(stages)
        ]
        self.events: list[list[Event]] = [[] for _ in stages]
        self.done: dict[tuple[bool, int, int, int], Any] = {}
        self.last: Any = 0
        plain = all(
            isinstance(time, int | float)
            for chunks in seconds for each in chunks for time in each.values()
        )  # fmt: skip
        self.larger: Any = max if plain else ops.maximum

    def advance(self) -> bool:
        """Let every rank run until it waits for another; tell whether any is left to run."""
        waiting = moved = False
        for rank, order in enumerate(self.orders):
            events = self.events[rank]
            first = len(events)
            while len(events) < len(order) and self._run(rank, order[len(events)]):
                pass
            moved |= len(events) > first
            waiting |= len(events) < len(order)
        assert moved or not waiting, "ranks wait for each other"  # noqa: S101 - orders are complete
        return waiting

    def _run(self, rank: int, step: Step) -> bool:
        """Run a step of a rank, unless what it needs is not there yet."""
        events, done = self.events[rank], self.done
        start = events[-1].end if events else 0
        length: Any = 0
        made = []
        for kind, chunk, micro_batch in step:
            length = length + self.seconds[rank][chunk][kind]
            if kind == WEIGHTS:  # its backward pass ran before on the same rank
                continue
            forward, stage = kind == F, self.stages[rank][chunk]
            way = chunk if self.directed else 0
            made.append((forward, way, stage, micro_batch))
            if forward and not stage:
                continue
            if stage == self.deepest and not forward:
                needed = (True, way, stage, micro_batch)
            else:
                needed = (forward, way, stage - 1 if forward else stage + 1, micro_batch)
            if needed not in done:
                return False
            start = self.larger(start, done[needed])
        end = start + length
        for each in made:
            done[each] = end
        events.append(Event(step, start, end))
        self.last = self.larger(self.last, end)
        return True
