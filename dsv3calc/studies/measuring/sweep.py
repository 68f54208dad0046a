"""Running trials within a budget of time: clocks warm, caches cold, the lower quartile."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from statistics import quantiles
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.studies.measuring import plan
from dsv3calc.studies.measuring.machine import EAGER, GRAPH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.studies.measuring.machine import Machine
    from dsv3calc.studies.measuring.plan import Trial

SETTLED = 0.03
"""Part by which two rounds may differ for a time to have settled."""
MOST_ROUNDS = 15
FEWEST_ROUNDS = 3
FEWEST_TRIALS = 8
WANTED = 20
"""Trials that a share of the budget is to be enough for."""
ROUNDS_OF_A_TRIAL = 5
PROBE_SHARE = 0.03
"""Part of the budget after which the clocks are taken to be warm."""
EAGER_TRIALS = 8
LEAST_PART = 0.5
"""What of its part is left to each area where those before it took longer."""
MOST_OVER = 1.5
"""What a part of the budget may grow by for the fewest trials."""
SHARES = {
    "kernel_other": 0.05,
    "kernel_gemm": 0.4,
    "kernel_grouped_gemm": 0.2,
    "kernel_attention": 0.25,
    "collective_other": 0.1,
}
"""Area, in the order of measuring -> its part of the budget, where all of them are measured."""


class Timed(msgspec.Struct, frozen=True):
    """A trial with its seconds."""

    trial: Trial
    seconds: float


class Sweep(msgspec.Struct):
    """What was measured, what could not run, and how long it took.

    ``probed`` are the FLOP/s in ``dtype`` and the bytes/s that sizes were chosen by.
    """

    dtype: str
    probed: tuple[float, float] = (1.0, 1.0)
    timed: list[Timed] = []
    failed: dict[str, str] = {}
    seconds: float = 0.0


def settled(run: Callable[[], float], limit: float) -> float:
    """Return the lower quartile of rounds after those that warm up: until two differ by little.

    What else a host does makes times longer and never shorter.

    >>> settled(iter([9.0, 5.0, 3.0, 3.0, 3.1, 3.0, 8.0, *[3.0] * 20]).__next__, 1.0)
    3.0
    """
    start = perf_counter()
    last = run()
    while perf_counter() - start < limit / 2:
        found = run()
        if abs(found - last) <= SETTLED * last:
            break
        last = found
    rounds = [run()]
    while len(rounds) < FEWEST_ROUNDS or (
        len(rounds) < MOST_ROUNDS and perf_counter() - start < limit
    ):
        rounds.append(run())
    return quantiles(rounds, n=4, method="inclusive")[0]


def sweep(machine: Machine, areas: Sequence[str], seconds: float) -> Sweep:
    """Measure a device: each area and data type has its part of the time."""
    found, start = Sweep(machine.dtypes[0]), perf_counter()
    found.probed = _probe(machine, seconds * PROBE_SHARE)
    lists = [(area, trials) for area in areas for trials in _trials(machine, area) if trials]
    parts = [SHARES[area] / sum(each == area for each, _ in lists) for area, _ in lists]
    for number, (_, trials) in enumerate(lists):
        left = seconds - (perf_counter() - start)
        least = LEAST_PART * seconds * parts[number] / sum(parts)
        budget = max(left * parts[number] / sum(parts[number:]), least)
        _run(machine, trials, budget, found)
    found.seconds = perf_counter() - start
    return found


def _trials(machine: Machine, area: str) -> list[list[Trial]]:
    """Return the trials of an area, one list for each fit."""
    wide = machine.dtypes[0]
    if area == "kernel_gemm":
        listed = [list(plan.products(dtype)) for dtype in machine.dtypes]
    elif area == "kernel_grouped_gemm":
        listed = [list(plan.experts(wide))]
    elif area == "kernel_attention":
        listed = [list(plan.prefills(wide)), list(plan.decodes(wide))]
    elif area == "kernel_other":
        listed = [list(plan.copies())]
    else:
        listed = [list(plan.collectives(machine.facts.count))]
    if GRAPH in machine.modes and area in ("kernel_gemm", "kernel_other"):
        listed.append(plan.eager(listed[0], EAGER_TRIALS))
    return listed


def _probe(machine: Machine, limit: float) -> tuple[float, float]:
    """Return FLOP/s and bytes/s that sizes are chosen by; the clocks are warm after that."""
    dtype, size, start = machine.dtypes[0], 256, perf_counter()
    while True:
        run = machine.round(machine.product(dtype, size, size, size), EAGER)
        seconds = settled(run, limit / 4)
        if perf_counter() - start > limit or size >= max(plan.WIDE):
            break
        size *= 2
    copied = 2 * machine.facts.cache
    moving = settled(machine.round(machine.copy(copied), EAGER), limit / 4)
    return 2 * size**3 / seconds, 2 * copied / moving


def _run(machine: Machine, trials: list[Trial], budget: float, found: Sweep) -> None:
    """Run trials in an order that mixes sizes, until the budget is spent."""
    limit, rates = budget / WANTED, found.probed

    def estimated(trial: Trial) -> float:
        return trial.flops / rates[0] + trial.moved / rates[1]

    fitting = [
        trial
        for trial in trials
        if ROUNDS_OF_A_TRIAL * estimated(trial) <= limit and 4 * trial.moved <= machine.facts.memory
    ]
    if not fitting:
        fitting = sorted(trials, key=estimated)[: 2 * FEWEST_TRIALS]
    random.Random(0).shuffle(fitting)  # noqa: S311 - any order that mixes sizes
    start = perf_counter()
    for number, trial in enumerate(fitting):
        spent = perf_counter() - start
        if spent > (budget if number >= FEWEST_TRIALS else MOST_OVER * budget):
            break
        try:
            calls = trial.calls(machine)
            if calls is None:
                continue
            run = machine.round(calls, trial.mode or machine.modes[0])
            found.timed.append(Timed(trial, settled(run, limit)))
        except (RuntimeError, MemoryError, ValueError, TypeError) as error:
            found.failed.setdefault(
                f"{trial.what}, {trial.dtype}", str(error).splitlines()[0][:120]
            )
        calls = None
    machine.release()
