"""Layouts per second: the fullest pipeline rank by class of a million layouts of DeepSeek-V3.

Degrees, micro-batch and step are arrays; schedule, ZeRO stage and recomputation are looped over
outside. Layouts are drawn at random among valid ones, and answered in blocks: large enough that
Python costs little beside arithmetic. A sample is held against the scalar answer over all ranks.

Time is processor time of one core. The calibration loop of plain Python, and the scalar answer of
one layout, say how fast the machine is.

Run: ``python benchmarks/layouts.py [--layouts 1000000] [--block 32768] [--rounds 3] [--json]``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import json
import time
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from dsv3calc.accounting.memory.footprint import Footprint, Training
from dsv3calc.accounting.memory.ranks import rank_line
from dsv3calc.accounting.memory.worst_rank import candidate_ranks, worst
from dsv3calc.catalogue import presets
from dsv3calc.studies.layout.build import check_grouping, training_problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.accounting.memory.ranks import Rank
    from dsv3calc.schema.layout import Layout

    Arrays = dict[str, Any]

SCHEDULES = ("1f1b", "zb1p", "dualpipe", "dualpipev", "interleaved")
ZERO = (0, 1, 2, 3)
RECOMPUTE = ("none", "v3-recompute", "full")
GOAL = 1_000_000
SEQUENCE = 4096
_CHUNKS = {"dualpipev": 2, "interleaved": 2}


def load(kind: str, name: str) -> Any:
    """Load a preset."""
    return presets.load(kind, name).value


MODEL = load("model", "deepseek-v3")
BASE: Layout = load("layout", "v3-pretrain")
TRAINING = {
    name: Training(
        load("precision", "fp8-deepseek-v3"),
        load("recipe", "v3-training"),
        load("recompute", name),
        load("setup", "pytorch").memory,
    )
    for name in RECOMPUTE
}


def draw(schedule: str, count: int, seed: int) -> Arrays:
    """Draw valid layouts of DeepSeek-V3 for a schedule: degrees, micro-batch, micro-batches."""
    random = np.random.default_rng(seed)

    def power_of_two(most: int) -> Any:
        return 2.0 ** random.integers(0, most + 1, count)

    tp, cp, ep = power_of_two(4), power_of_two(3), power_of_two(8)
    # experts regroup the GPUs of a stage: ep divides tp x cp x dp
    dp = np.maximum(1.0, ep / (tp * cp)) * random.integers(1, 65, count)
    stages = MODEL.num_hidden_layers // _CHUNKS.get(schedule, 1)
    pp = random.integers(2, stages + 1, count).astype(np.float64)
    if schedule == "dualpipe":
        pp -= pp % 2
    steps = pp * random.integers(2, 9, count)  # micro-batches: whole groups of pp, two at least
    return {
        "tp": tp, "cp": cp, "ep": ep, "dp": dp, "pp": pp,
        "micro_batch": power_of_two(3), "micro_batches": steps,
    }  # fmt: skip


def footprint(schedule: str, zero: int, recompute: str, numbers: Arrays) -> Footprint:
    """Return the footprint of one layout, or of arrays of them."""
    degrees = {name: value for name, value in numbers.items() if name != "micro_batches"}
    layout = msgspec.structs.replace(
        BASE,
        schedule=schedule,
        zero=zero,
        virtual_pipeline=_CHUNKS["interleaved"] if schedule == "interleaved" else 1,
        global_batch=None,
        **degrees,
    )
    return Footprint(
        MODEL,
        layout,
        TRAINING[recompute],
        sequence=SEQUENCE,
        micro_batches=numbers["micro_batches"],
    )


def answer(schedule: str, zero: int, recompute: str, numbers: Arrays, block: int) -> Arrays:
    """Give the fullest ranks of arrays of layouts, in equal blocks of no more than ``block``."""
    found = []
    blocks = -(-len(numbers["pp"]) // block)
    parts = {name: np.array_split(value, blocks) for name, value in numbers.items()}
    for number in range(blocks):
        part = {name: split[number] for name, split in parts.items()}
        lines = worst(footprint(schedule, zero, recompute, part))
        found.append(
            {"rank": lines.rank.value, **{n: each.value for n, each in lines.parts.items()}}
        )
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}


def scalar(schedule: str, zero: int, recompute: str, numbers: dict[str, int]) -> list[Rank]:
    """Answer one layout for each of its ranks, with whole numbers.

    Raises
    ------
    UsageError
        If the layout is not valid.
    """
    found = footprint(schedule, zero, recompute, numbers)
    check_grouping(MODEL, found.layout, SEQUENCE, hint=lambda _: "")
    problems = [*found.layout.problems()]
    problems += training_problems(MODEL, found.layout, numbers["micro_batches"])
    if problems:
        raise SystemExit(f"a layout that is not valid was drawn: {problems}")
    names = [f"memory.rank.{number}" for number in range(numbers["pp"])]
    return [found.rank(name, rank_line(name, number)) for number, name in enumerate(names)]


def check(case: tuple[str, int, str], numbers: Arrays, found: Arrays, sample: int) -> int:
    """Hold some layouts against their scalar answers; return how many were.

    Every class is that of the rank named, to the last bit, and no other rank has a larger total:
    beyond rounding, where bytes are no whole numbers.

    Raises
    ------
    SystemExit
        If one differs.
    """
    rows = range(0, len(numbers["pp"]), max(1, len(numbers["pp"]) // sample))
    for row in rows:
        one = {name: int(value[row]) for name, value in numbers.items()}
        ranks = scalar(*case, one)
        fullest = ranks[int(found["rank"][row])]
        for name, line in fullest.lines.items():
            value = found[name][row]
            if value != line.value:
                raise SystemExit(f"{case} {one}: {name} {value} is not {line.value}")
        most = max(rank.lines["total"].value for rank in ranks)
        if most > value + (0 if type(most) is int else 2 * np.spacing(value)):
            raise SystemExit(f"{case} {one}: a rank holds {most}, more than {value}")
    return len(rows)


def calibrate() -> int:
    """Do 10,000 multiply-adds of Python integers."""
    total = 0
    for number in range(10_000):
        total += number * number
    return total


def keep_pages() -> bool:
    """Tell glibc to keep freed memory; return whether it was told.

    A block's arrays are freed together, and the next block's are as many and as large. Left alone,
    glibc hands the pages back in between, and fetching them again takes longer than the arithmetic.
    """
    import ctypes

    trim_threshold, mmap_threshold = -1, -3  # of malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return bool(mallopt(trim_threshold, 2**30)) and bool(mallopt(mmap_threshold, 2**25))


def least(function: Callable[[], object], rounds: int) -> float:
    """Return the least processor time of a function in seconds."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        found.append(time.process_time() - start)
    return min(found)


def measure(layouts: int, block: int, rounds: int, sample: int) -> dict[str, dict[str, float]]:
    """Answer the layouts of each schedule, and time it."""
    keep_pages()
    cases = [*product(ZERO, RECOMPUTE)]
    each = layouts // (len(SCHEDULES) * len(cases))
    loop = least(calibrate, 100)
    found: dict[str, dict[str, float]] = {}
    checked, everything = 0, 0.0
    for schedule in SCHEDULES:
        seconds = 0.0
        for seed, (zero, recompute) in enumerate(cases):
            numbers = draw(schedule, each, seed)
            case = (schedule, zero, recompute)
            results = answer(*case, numbers, block)
            checked += check(case, numbers, results, sample)
            seconds += least(lambda: answer(*case, numbers, block), rounds)  # noqa: B023 - at once
        rate = each * len(cases) / seconds
        layout = footprint(schedule, 1, "none", numbers).layout
        everything += seconds
        found[schedule] = {
            "candidates": len(candidate_ranks(MODEL, layout)),
            "layouts_per_second": rate,
            "layouts_per_loop": rate * loop,
        }
    one = {"tp": 1, "cp": 1, "ep": 64, "dp": 128, "pp": 16, "micro_batch": 1, "micro_batches": 120}
    single = least(lambda: scalar("dualpipe", 1, "v3-recompute", one), 100)
    rate = each * len(cases) * len(SCHEDULES) / everything
    found["all"] = {
        "layouts_per_second": rate,
        "layouts_per_loop": rate * loop,
        "layouts_per_scalar_answer": rate * single,
        "checked": checked,
        "scalar_ms": single * 1e3,
        "loop_ms": loop * 1e3,
    }
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--layouts", type=int, default=1_000_000)
    parser.add_argument("--block", type=int, default=32_768)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sample", type=int, default=20, help="layouts checked of each case")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    found = measure(options.layouts, options.block, options.rounds, options.sample)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'':14}{'ranks tried':>12}{'layouts/s':>12}{'per loop':>10}")
    for name, row in found.items():
        tried = f"{row['candidates']}" if "candidates" in row else ""
        print(
            f"{name:14}{tried:>12}{row['layouts_per_second']:12,.0f}{row['layouts_per_loop']:10.0f}"
        )
    whole = found["all"]
    print(
        f"{whole['layouts_per_scalar_answer']:,.0f} layouts in the time of one scalar answer "
        f"({whole['scalar_ms']:.2f} ms; loop {whole['loop_ms']:.2f} ms); {whole['checked']:,.0f} "
        f"equal their scalar answer; goal: {GOAL:,} layouts/s"
    )


if __name__ == "__main__":
    main()
