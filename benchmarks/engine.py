"""The engine of a search against numpy written by hand, and compiled code against numpy.

Random layouts of Llama 3.1 8B (1F1B, ZeRO-1, no recomputation), memory of the fullest rank: by an
expression written by hand, by the engine with numpy, and by compiled code where llvmlite is
installed. All three must agree to the last bit. Then random layouts of DeepSeek-V3: memory, time of
a step and bytes between domains. Rows are drawn and counted block by block, as a search does, and
the results of a block are dropped before the next one. Time is processor time of one core.

Run: ``python benchmarks/engine.py [--rows 100000 1000000 10000000] [--skip numpy]``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import resource
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from dsv3calc.numbers import compiled
from dsv3calc.queries.search import SearchQuery
from dsv3calc.studies.search.counted import TrainingBlock
from dsv3calc.studies.search.recording import Recording
from dsv3calc.studies.search.space import BLOCK
from dsv3calc.studies.search.training import TrainingSearch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Columns = dict[str, Any]

SEQUENCE = 4096
SEQUENCES = 2**14
GIB, MIB = 2**30, 2**20
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


def by_hand(rows: Columns) -> Any:
    """Return the bytes of the fullest rank of Llama 3.1 8B: the first one, or the last."""
    tp, cp, pp = rows["tp"], rows["cp"], rows["pp"]
    tokens = rows["micro_batch"] * SEQUENCE / cp
    several = pp > 1
    layers = 32 / pp
    layer = (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336) / tp + 2 * 4096
    matrix = 128256 * 4096 / tp
    of_each = 2 + 4 + 12 / (rows["dp"] * cp)
    kept = tokens * (4 * 4096 * 2 + (2 * (2 * 4096 + 2 * 1024 + 3 * 14336) + 4 * 32) / tp)
    work = tokens * (2 * 2 * 4096 + 2 * (4096 + 2 * 1024 + 2 * 14336) / tp)
    work += 2 * (tokens * 2 * 2 * 1024 / tp) * (cp > 1)
    logits = tokens * 4 * 128256 / tp
    at_head = np.maximum(work, logits + tokens * 2 * 4096)
    head_kept = tokens * 2 * 2 * 4096
    first = (layers * layer + matrix) * of_each
    first += np.minimum(pp, rows["micro_batches"]) * layers * kept + work
    last = (layers * layer + matrix + 4096) * of_each + layers * kept + head_kept + at_head
    alone = last + matrix * of_each
    shared = 4 * 2 * 4096 * tokens * several + (32 + 512) * MIB
    shared += GIB * (tp * pp * cp * rows["dp"] > 1)
    return np.where(several, np.maximum(first, last), alone) + shared


def blocks(total: int, *, experts: bool) -> Iterator[Columns]:
    """Draw layouts block by block, so that no more than one block is kept."""
    for number, start in enumerate(range(0, total, BLOCK)):
        yield draw(min(BLOCK, total - start), experts=experts, seed=number)


def in_parts(rows: Columns, count: Callable[[Columns], Any], size: int) -> Any:
    """Count rows in parts that stay in the processor's cache."""
    parts = range(0, len(rows["tp"]), size)
    return np.concatenate(
        [count({name: each[at : at + size] for name, each in rows.items()}) for at in parts]
    )


def recording(
    model: str, hardware: str, constants: Columns, *, fast: bool, sequences: int = SEQUENCES
) -> Recording:
    """Return an empty recording of a model's layouts."""
    wanted = TrainingSearch(
        SearchQuery(model=model, hardware=hardware, gpus=64, global_batch=sequences)
    )
    return Recording(wanted.held, [*draw(1, experts=False)], constants, compiled=fast)


def engine(kept: Recording, result: str) -> Callable[[Columns], Any]:
    """Return what counts a result of rows."""

    def count(rows: Columns) -> Any:
        return TrainingBlock(kept.layouts.held, kept, rows).of(result, CATEGORY)

    return count


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor seconds of a call, and what it returns."""
    start = time.process_time()
    found = function()
    return time.process_time() - start, found


def peak() -> float:
    """Return the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compared(total: int, ways: Mapping[str, Callable[[Columns], Any]], *, experts: bool) -> None:
    """Count the same layouts in several ways, block by block, and print what each took.

    Drawing the layouts is not counted. The first way is what the others are compared with.
    """
    taken, same = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, True)
    for rows in blocks(total, experts=experts):
        expected = None
        for name, count in ways.items():
            seconds, found = timed(lambda: count(rows))  # noqa: B023 - at once
            expected = found if expected is None else expected
            taken[name] += seconds
            same[name] &= bool((found == expected).all())
    first = next(iter(ways))
    for name, seconds in taken.items():
        equal = "" if name == first else "the same" if same[name] else "DIFFERENT"
        print(
            f"{total:12,} {name:9} {total / seconds:14,.0f} layouts/s  "
            f"{1e9 * seconds / total:8.1f} ns each  x {seconds / taken[first]:5.2f} of {first}  "
            f"peak {peak():,.0f} MiB {equal}".rstrip()
        )


def ways(model: str, hardware: str, constants: Columns, result: str) -> dict[str, Any]:
    """Return the engine with numpy, and compiled where it can be; warm."""
    found = {}
    for name in ("numpy", "compiled") if compiled.is_there() else ("numpy",):
        kept = recording(model, hardware, constants, fast=name == "compiled")
        found[name] = engine(kept, result)
        found[name](draw(BLOCK, experts="ep" not in constants))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    parser.add_argument("--skip", nargs="+", default=[], help="ways of Llama that are left out")
    options = parser.parse_args()
    print("memory of the fullest rank, Llama 3.1 8B")
    found = {"by hand": lambda rows: in_parts(rows, by_hand, CPU_BLOCK)}
    found |= ways("llama-3.1-8b", "h100", {"ep": 1, "etp": 1}, "memory")
    found = {name: count for name, count in found.items() if name not in options.skip}
    for size in options.rows:
        compared(size, found, experts=False)
    size = max(10**5, min(options.rows[-1], 10**6))
    for result in ("memory", "step_time", "traffic"):
        print(f"{result}, DeepSeek-V3")
        compared(size, ways("deepseek-v3", "h800", {"etp": 1}, result), experts=True)


if __name__ == "__main__":
    main()
