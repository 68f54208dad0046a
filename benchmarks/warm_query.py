"""The cost of a query in a running process: ``params`` + ``flops`` + ``kv`` of DeepSeek-V3.

A calibration loop of plain Python says how fast the machine is: compare the ratio, not the
milliseconds, between machines. The goals are ratios too: of the three together, and of ``memory``
over 16 pipeline ranks. Time is processor time: on a busy machine no query of some milliseconds runs
without a break.

Run: ``python benchmarks/warm_query.py [--rounds 300] [--json]``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import TYPE_CHECKING

import dsv3calc
from dsv3calc.accounting.routing.rule import integrated
from dsv3calc.api import parse_query
from dsv3calc.studies.lines.sensitivity import answer_sensitivity

if TYPE_CHECKING:
    from collections.abc import Callable

QUERIES = {
    "params": "params deepseek-v3",
    "flops": "flops deepseek-v3",
    "kv": "kv deepseek-v3",
}
GOAL = 0.55
MEMORY = "memory deepseek-v3 --layout v3-pretrain --hardware h800"
MEMORY_GOAL = 4.5
SENSITIVITY_ROUNDS = 5
V3_GROUPS = (8, 4, 32, 8)
"""Groups, those a token is limited to, experts of each, experts chosen: of DeepSeek-V3.

Its shares are shipped; a design of other groups waits as long.
"""


def calibrate() -> int:
    """Do 10,000 multiply-adds of Python integers."""
    total = 0
    for number in range(10_000):
        total += number * number
    return total


def ask_all() -> None:
    """Ask the three queries."""
    for query in QUERIES.values():
        dsv3calc.query(query)


def sensitivity() -> None:
    """Rank the inputs of the memory."""
    answer_sensitivity(parse_query(MEMORY), "memory.worst.total")


def timed(function: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the least and the median of a function's processor time in milliseconds."""
    found = []
    for _ in range(rounds):
        start = time.process_time_ns()
        function()
        found.append((time.process_time_ns() - start) / 1e6)
    return min(found), statistics.median(found)


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Time each query, the three together and memory, warm."""
    ask_all()
    work: dict[str, Callable[[], object]] = {"calibration loop": calibrate}
    for name, query in QUERIES.items():
        work[name] = lambda query=query: dsv3calc.query(query)  # type: ignore[misc] # bound early
    work["all three"] = ask_all
    dsv3calc.query(MEMORY)
    work["memory"] = lambda: dsv3calc.query(MEMORY)
    work["routing rule"] = lambda: integrated(*V3_GROUPS)
    times = {name: timed(function, rounds) for name, function in work.items()}
    times["sensitivity"] = timed(sensitivity, min(rounds, SENSITIVITY_ROUNDS))
    loop = times["calibration loop"][0]
    return {
        name: {"min_ms": least, "median_ms": median, "ratio_to_calibration": least / loop}
        for name, (least, median) in times.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    found = measure(options.rounds)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'':18}{'min ms':>9}{'median ms':>11}{'x loop':>9}")
    for name, row in found.items():
        print(
            f"{name:18}{row['min_ms']:9.3f}{row['median_ms']:11.3f}"
            f"{row['ratio_to_calibration']:9.2f}"
        )
    print(f"goals: all three within {GOAL} loops, memory within {MEMORY_GOAL}")


if __name__ == "__main__":
    main()
