"""Start-up: how many times a bare ``python -c pass`` a query takes, and its peak memory.

Runs are interleaved, so that a slow moment of the machine hits every program alike, and figures
are ratios to the bare interpreter of the same round. Bytecode is cached, as on a user's machine.
Processor time, system calls included, depends least on what else the machine does.

Run: ``python benchmarks/startup.py [--rounds 40] [--json]``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

QUERIES = {
    "help": (["--help"], None),
    "kv, JSON": (["kv", "deepseek-v3", "--context", "128k", "--json"], 5),
    "params, JSON": (["params", "deepseek-v3", "--json"], 5),
    "flops, JSON": (["flops", "deepseek-v3", "--phase", "decode", "--json"], 5),
    "memory, JSON": (
        ["memory", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800", "--json"],
        7,
    ),
    "traffic, JSON": (
        ["traffic", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800", "--json"],
        7,
    ),
    "memory, table": (
        ["memory", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800"],
        9,
    ),
    "params, table": (["params", "deepseek-v3"], 9),
    "kv, explained": (["explain", "kv", "deepseek-v3", "--context", "4096"], 9),
    "compare of three, JSON": (
        ["compare", "deepseek-v3", "qwen2.5-72b", "llama-3.1-405b", "--hardware", "h800", "--json"],
        None,
    ),
    "compare of three, table": (
        ["compare", "deepseek-v3", "qwen2.5-72b", "llama-3.1-405b", "--hardware", "h800"],
        None,
    ),
}
"""What is run -> its arguments, and the goal as a multiple of a bare interpreter, or None."""


def run(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Run a command once; return its wall and processor seconds and its peak memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} exited with {process.returncode}")
    peak = usage.ru_maxrss / 1024  # Linux counts KiB
    peak = peak / 1024 if sys.platform == "darwin" else peak  # macOS counts bytes
    return elapsed, usage.ru_utime + usage.ru_stime, peak


def measure(rounds: int) -> dict[str, dict[str, float | None]]:
    """Run every query ``rounds`` times, interleaved with a bare interpreter."""
    programs = {"bare python": [sys.executable, "-c", "pass"]}
    programs |= {
        name: [sys.executable, "-m", "dsv3calc", *arguments]
        for name, (arguments, _) in QUERIES.items()
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    processor: dict[str, list[float]] = {name: [] for name in programs}
    peaks: dict[str, float] = dict.fromkeys(programs, 0.0)
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for command in programs.values():
            run(command, environment)
        for _ in range(rounds):
            for name, command in programs.items():
                elapsed, used, peak = run(command, environment)
                times[name].append(elapsed)
                processor[name].append(used)
                peaks[name] = max(peaks[name], peak)
    bare = times["bare python"]
    return {
        name: {
            "ratio_of_minima": min(found) / min(bare),
            "ratio_of_processor_minima": min(processor[name]) / min(processor["bare python"]),
            "median_ratio": statistics.median(
                mine / theirs for mine, theirs in zip(found, bare, strict=True)
            ),
            "goal": QUERIES[name][1] if name in QUERIES else None,
            "peak_mib": peaks[name],
        }
        for name, found in times.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    found = measure(options.rounds)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'':24}{'min/min':>9}{'median':>9}{'cpu':>9}{'goal':>7}{'peak MiB':>10}")
    for name, row in found.items():
        goal = f"{row['goal']}x" if row["goal"] else ""
        print(
            f"{name:24}{row['ratio_of_minima']:8.2f}x{row['median_ratio']:8.2f}x"
            f"{row['ratio_of_processor_minima']:8.2f}x{goal:>7}{row['peak_mib']:10.1f}"
        )


if __name__ == "__main__":
    main()
