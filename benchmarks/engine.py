"""The engine of a search against numpy written by hand, and compiled code against numpy.

Random layouts of Llama 3.1 8B (1F1B, ZeRO-1, no recomputation), memory of the fullest rank: by an
expression written by hand, by the engine with numpy, and by compiled code where llvmlite is
installed. All three must agree to the last bit. Then random layouts of DeepSeek-V3: memory, time of
a step and bytes between domains. Rows are counted in blocks, as a search does. Time is processor
time of one core.

Run: ``python benchmarks/engine.py [--rows 100000 1000000 10000000]``
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
    from collections.abc import Callable, Sequence

    Columns = dict[str, Any]

SEQUENCE = 4096
SEQUENCES = 2**14
GIB, MIB = 2**30, 2**20
CATEGORY = {
    "schedule": "1f1b", "virtual_pipeline": 1, "sequence_parallel": False,
    "layer_split": "even", "recompute": "none", "zero": 1,
}  # fmt: skip
CPU_BLOCK = 8192


def draw(count: int, *, experts: bool) -> Columns:
    """Draw layouts: all degrees are powers of two, so that they divide what they must."""
    random = np.random.default_rng(count)

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


def in_blocks(count: Callable[[Columns], Any], rows: Columns, size: int) -> Any:
    """Count rows in blocks."""
    total = len(rows["tp"])
    found = np.empty(total)
    for start in range(0, total, size):
        part = {name: each[start : start + size] for name, each in rows.items()}
        found[start : start + size] = count(part)
    return found


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


def dense(sizes: Sequence[int]) -> None:
    """Compare the ways to count the memory of Llama 3.1 8B."""
    ways = {"numpy": False, "compiled": True} if compiled.is_there() else {"numpy": False}
    constants = {"ep": 1, "etp": 1}
    counts = {
        name: engine(recording("llama-3.1-8b", "h100", constants, fast=fast), "memory")
        for name, fast in ways.items()
    }
    warm = draw(2 * BLOCK, experts=False)
    for count in counts.values():
        in_blocks(count, warm, BLOCK)
    print("memory of the fullest rank, Llama 3.1 8B")
    for size in sizes:
        rows = draw(size, experts=False)
        seconds, expected = timed(lambda: in_blocks(by_hand, rows, CPU_BLOCK))  # noqa: B023 - at once
        print(f"{size:12,} by hand   {size / seconds:14,.0f} layouts/s  peak {peak():,.0f} MiB")
        for name, count in counts.items():
            taken, found = timed(lambda: in_blocks(count, rows, BLOCK))  # noqa: B023 - at once
            same = bool((found == expected).all())
            print(
                f"{size:12,} {name:9} {size / taken:14,.0f} layouts/s  x {taken / seconds:5.2f}  "
                f"peak {peak():,.0f} MiB  {'the same' if same else 'DIFFERENT'}"
            )


def experts(size: int) -> None:
    """Compare compiled code and numpy on DeepSeek-V3."""
    rows = draw(size, experts=True)
    print("DeepSeek-V3")
    for result in ("memory", "step_time", "traffic"):
        found: dict[bool, tuple[float, Any]] = {}
        for fast in (False, True) if compiled.is_there() else (False,):
            kept = recording("deepseek-v3", "h800", {"etp": 1}, fast=fast)
            count = engine(kept, result)
            in_blocks(count, draw(2 * BLOCK, experts=True), BLOCK)
            found[fast] = timed(lambda: in_blocks(count, rows, BLOCK))  # noqa: B023 - at once
            name = "compiled" if fast else "numpy"
            taken, values = found[fast]
            ratio = f"x {found[False][0] / taken:5.2f} of numpy" if fast else ""
            same = "the same" if bool((values == found[False][1]).all()) else "DIFFERENT"
            print(
                f"{size:12,} {result:9} {name:9} {size / taken:14,.0f} layouts/s  {ratio}  {same}"
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    options = parser.parse_args()
    dense(options.rows)
    experts(max(10**5, min(options.rows[-1], 10**6)))


if __name__ == "__main__":
    main()
