"""The cost of a sweep: points a second, peak memory, and its share beside the queries themselves.

Each sweep is a process of its own, so that its peak memory is its own. The ratio is its processor
time, start included, over that of a process that asks the same queries by ``dsv3calc.query`` in a
loop and keeps the numbers: both of one run.

Run: ``python benchmarks/sweep.py [--points 1000 10000 100000] [--formats csv json parquet]``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import os
import sys
import tempfile
from importlib.util import find_spec
from itertools import product
from pathlib import Path

CONTEXTS = 100
STUDY = """
name: cache
title: The cache of Llama 3.1 8B
queries: [{query}]
axes:
  - {{name: batch, option: batch, grid: [1, {batches}, 1]}}
  - {{name: context, option: context, grid: [1000, {contexts}000, 1000]}}
outputs: {{value: {line}}}
{front}
"""
QUERIES = {
    "kv": ("kv llama-3.1-8b", "kv_cache.bytes"),
    "time": ("time deepseek-v3 --hardware h800 --phase decode", "time.floor"),
}
FRONTS = {"": "", "front": "front: [value]\nwithin: [batch]"}
LOOP = """
import sys, dsv3calc
query, line, points = sys.argv[1], sys.argv[2], int(sys.argv[3])
found = [
    dsv3calc.query(f"{query} --batch {number // 100 + 1} --context {number % 100 + 1}000")[line]
    for number in range(points)
]
"""


def run(*words: str) -> tuple[float, float]:
    """Run Python on some words; return processor seconds and the peak memory in MiB."""
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    command = [sys.executable, *words]
    child = os.posix_spawn(sys.executable, command, os.environ, file_actions=quiet)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(words)}: status {status}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def swept(folder: str, name: str, points: int, form: str, front: str) -> tuple[float, float]:
    """Run a study of so many points; return what it took."""
    query, line = QUERIES[name]
    study = Path(folder, "study.yaml")
    study.write_text(
        STUDY.format(
            query=query, line=line, batches=points // CONTEXTS, contexts=CONTEXTS,
            front=FRONTS[front],
        ),
        encoding="utf-8",
    )  # fmt: skip
    output = f"{folder}/out.{form}"
    return run("-m", "dsv3calc", "sweep", str(study), "-o", output, "--force", "--quiet")


def main() -> None:
    """Measure each number of points, format and front."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[1000, 10_000, 100_000])
    formats = ["csv", "json", *(["parquet"] if find_spec("pyarrow") else [])]
    parser.add_argument("--formats", nargs="+", default=formats)
    parser.add_argument("--query", choices=QUERIES, default="kv")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for points in options.points:
            loop, peak = run("-c", LOOP, *QUERIES[options.query], str(points))
            print(
                f"{options.query:5} {points:9,} points  loop          "
                f"{points / loop:8,.0f} points/s         peak {peak:5.0f} MiB"
            )
            for form, front in product(options.formats, FRONTS):
                took, peak = swept(folder, options.query, points, form, front)
                print(
                    f"{options.query:5} {points:9,} points  {form:8}{front:6}"
                    f"{points / took:8,.0f} points/s  {took / loop:5.2f}  peak {peak:5.0f} MiB"
                )


if __name__ == "__main__":
    main()
