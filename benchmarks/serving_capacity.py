"""Capacities of servers: predicted by the set-up of their engine, and measured.

Each row of ``serving_capacity.yaml`` is a server that somebody started. It is predicted with the
one set-up of its source; only how it was started is given. A largest number of sequences is whole,
so a prediction before it is rounded down has an error only where it lies outside of [n, n + 1).

Run: ``python benchmarks/serving_capacity.py [--source NAME] [--json]``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any

import dsv3calc
from dsv3calc.reading.source import read_source

ROWS = Path(__file__).with_suffix(".yaml")
GIB = 2**30
GOAL = 0.02


def predicted(row: dict[str, Any], source: dict[str, Any]) -> dict[str, int]:
    """Ask for the memory of the server of a row, and return its lines."""
    given = {name: row[name] for name in ("precision", "hardware", "tp", "context") if name in row}
    if "pass_tokens" in row:
        given["pass_tokens"] = row["pass_tokens"]
    if "pp" in row:
        given["pp"] = row["pp"]
    found = dsv3calc.memory(
        row["model"],
        serve=True,
        memory_fraction=row["fraction"],
        setup=source["setup"],
        set=tuple(source.get("set", ())),
        **given,
    )
    return found.values


def judged(row: dict[str, Any], lines: dict[str, int]) -> tuple[float, float, float]:
    """Return what was predicted, what was measured, and the relative error."""
    pool = lines["serving.kv_pool"]
    if "sequences" in row:
        measured, exact = row["sequences"], pool / lines["serving.kv_bytes_per_sequence"]
        nearest = min(max(exact, measured), measured + 1)
        return exact, measured, (exact - nearest) / measured
    if "tokens" in row:
        return (
            lines["serving.kv_tokens"],
            row["tokens"],
            lines["serving.kv_tokens"] / row["tokens"] - 1,
        )
    of = f"serving.rank.{row['rank']}" if "rank" in row else "serving"
    room = lines["serving.budget"] - lines[f"{of}.weights"] - lines[f"{of}.buffers"]
    measured = row["pool_gib"]
    return room / GIB, measured, (room / GIB - measured) / abs(measured)


def main() -> None:
    """Print each row, and the median and the largest error of each source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", help="rows of one source alone")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = read_source(str(ROWS)).data
    found = []
    for row in data["rows"]:
        if arguments.source in (None, row["source"]):
            lines = predicted(row, data["sources"][row["source"]])
            expected, measured, error = judged(row, lines)
            found.append(row | {"predicted": expected, "measured": measured, "error": error})
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    for row in found:
        print(
            f"{row['source']:12} {row['model']:16} {row['hardware']:12} tp {row['tp']} "
            f"pp {row.get('pp', 1)} {row['context']:6,} predicted {row['predicted']:10,.2f} "
            f"measured {row['measured']:10,.2f} error {row['error']:+7.2%}"
        )
    for name in dict.fromkeys(row["source"] for row in found):
        for hardware in dict.fromkeys(row["hardware"] for row in found if row["source"] == name):
            errors = [
                row["error"]
                for row in found
                if (row["source"], row["hardware"]) == (name, hardware)
            ]
            sizes = [abs(error) for error in errors]
            within = sum(size <= GOAL for size in sizes)
            print(
                f"{name} on {hardware}: {len(errors)} rows, median |error| {median(sizes):.2%}, "
                f"bias {median(errors):+.2%}, largest {max(sizes):.2%}, within 2 %: {within}"
            )


if __name__ == "__main__":
    main()
