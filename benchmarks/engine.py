"""The engine of a search against numpy written by hand, and compiled code against numpy.

Random layouts of Llama 3.1 8B (1F1B, ZeRO-1, no recomputation), three results of each: memory of
the fullest rank, time of a step, bytes between domains. They are counted by expressions written by
hand, by the engine with numpy, and by compiled code where llvmlite is installed. Numpy and compiled
code must agree to the last bit. So must memory and bytes by hand; a time is added up in another
order by hand, and must agree to 1e-13. Then the same of DeepSeek-V3, without an expression by hand.
Rows are drawn and counted block by block, as a search does, and the results of a block are dropped
before the next one. Time is processor time of one core.

Run: ``python benchmarks/engine.py [--rows 100000 1000000 10000000] [--skip numpy] [--each]``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import resource
import time
from typing import TYPE_CHECKING, Any

import llama_by_hand
import numpy as np
from llama_by_hand import SEQUENCES

from dsv3calc.numbers import compiled
from dsv3calc.queries.search import SearchQuery
from dsv3calc.studies.search.counted import TrainingBlock
from dsv3calc.studies.search.recording import Recording
from dsv3calc.studies.search.space import BLOCK
from dsv3calc.studies.search.training import TrainingSearch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Columns = dict[str, Any]

RESULTS = ("memory", "step_time", "traffic")
CATEGORY = {
    "schedule": "1f1b", "virtual_pipeline": 1, "sequence_parallel": False,
    "layer_split": "even", "recompute": "none", "zero": 1,
}  # fmt: skip
CPU_BLOCK = 8192


def draw(count: int, *, experts: bool, seed: int = 0) -> Columns:
    """Draw layouts: all degrees are powers of two, so that they divide what they must."""
    random = np.random.default_rng(seed)

    def power(most: int) -> Any:
        return 2 ** random.integers(0, most + 1, count)

    found = {"tp": power(3), "cp": power(2), "pp": power(4 if experts else 5), "dp": power(8)}
    stage = found["tp"] * found["cp"] * found["dp"]
    found["ep"] = np.minimum(power(8), stage) if experts else np.ones(count, dtype=np.int64)
    found["etp"] = np.ones(count, dtype=np.int64)
    found["edp"] = stage // found["ep"]
    found["micro_batch"] = power(3)
    found["micro_batches"] = SEQUENCES // (found["dp"] * found["micro_batch"])
    return found


def blocks(total: int, *, experts: bool) -> Iterator[Columns]:
    """Draw layouts block by block, so that no more than one block is kept."""
    for number, start in enumerate(range(0, total, BLOCK)):
        yield draw(min(BLOCK, total - start), experts=experts, seed=number)


def in_parts(rows: Columns, count: Callable[[Columns], Any], size: int) -> Any:
    """Count rows in parts that stay in the processor's cache."""
    parts = range(0, len(rows["tp"]), size)
    found = [count({name: each[at : at + size] for name, each in rows.items()}) for at in parts]
    return [np.concatenate(each) for each in zip(*found, strict=True)]


def recording(
    model: str, hardware: str, constants: Columns, *, fast: bool, sequences: int = SEQUENCES
) -> Recording:
    """Return an empty recording of a model's layouts of one category."""
    pins = tuple(f"{name}={str(value).lower()}" for name, value in CATEGORY.items())
    wanted = TrainingSearch(
        SearchQuery(model=model, hardware=hardware, gpus=64, global_batch=sequences, pin=pins)
    )
    return Recording(wanted.held, [*draw(1, experts=False)], constants, compiled=fast)


def engine(kept: Recording, results: Sequence[str]) -> Callable[[Columns], Any]:
    """Return what counts some results of rows."""

    def count(rows: Columns) -> Any:
        block = TrainingBlock(kept.layouts.held, kept, rows)
        return [block.of(result, CATEGORY) for result in results]

    return count


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor seconds of a call, and what it returns."""
    start = time.process_time()
    found = function()
    return time.process_time() - start, found


def peak() -> float:
    """Return the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def distance(found: Any, expected: Any) -> float:
    """Return the largest relative difference of results."""
    return max(
        float((abs(one - other) / other.clip(min=1e-300)).max())
        for one, other in zip(found, expected, strict=True)
    )


def compared(total: int, ways: Mapping[str, Callable[[Columns], Any]], *, experts: bool) -> None:
    """Count the same layouts in several ways, block by block, and print what each took.

    Drawing the layouts is not counted. The first way is what the others are compared with.
    """
    taken, apart = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
    for rows in blocks(total, experts=experts):
        expected = None
        for name, count in ways.items():
            seconds, found = timed(lambda: count(rows))  # noqa: B023 - at once
            expected = found if expected is None else expected
            taken[name] += seconds
            apart[name] = max(apart[name], distance(found, expected))
    first = next(iter(ways))
    for name, seconds in taken.items():
        equal = f"differs by {apart[name]:.0e}" if apart[name] else "the same"
        print(
            f"{total:12,} {name:9} {total / seconds:14,.0f} layouts/s  "
            f"{1e9 * seconds / total:8.1f} ns each  x {seconds / taken[first]:5.2f} of {first}  "
            f"peak {peak():,.0f} MiB {'' if name == first else equal}".rstrip()
        )


def ways(model: str, hardware: str, constants: Columns, results: Sequence[str]) -> dict[str, Any]:
    """Return the engine with numpy, and compiled where it can be; warm."""
    found = {}
    for name in ("numpy", "compiled") if compiled.is_there() else ("numpy",):
        kept = recording(model, hardware, constants, fast=name == "compiled")
        found[name] = engine(kept, results)
        found[name](draw(BLOCK, experts="ep" not in constants))
    return found


def by_hand(results: Sequence[str]) -> Callable[[Columns], Any]:
    """Return the expressions written by hand, over rows that stay in the processor's cache."""
    functions = [getattr(llama_by_hand, result) for result in results]
    return lambda rows: in_parts(rows, lambda part: [each(part) for each in functions], CPU_BLOCK)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    parser.add_argument("--skip", nargs="+", default=[], help="ways of Llama that are left out")
    parser.add_argument("--each", action="store_true", help="also each result by itself")
    options = parser.parse_args()
    asked = [RESULTS, *((result,) for result in RESULTS if options.each)]
    for results in asked:
        print(f"{', '.join(results)}, Llama 3.1 8B")
        found = {"by hand": by_hand(results)}
        found |= ways("llama-3.1-8b", "h100", {"ep": 1, "etp": 1}, results)
        found = {name: count for name, count in found.items() if name not in options.skip}
        for size in options.rows:
            compared(size, found, experts=False)
    size = max(10**5, min(options.rows[-1], 10**6))
    for results in asked:
        print(f"{', '.join(results)}, DeepSeek-V3")
        compared(size, ways("deepseek-v3", "h800", {"etp": 1}, results), experts=True)


if __name__ == "__main__":
    main()
