"""Memory that was measured beside what ``memory`` answers: each case against the total of its kind.

A case's query is its own options, then the recipe of its source, then the options of the rules
whose facts it has: nothing is chosen case by case. Errors are those of the fullest rank.

Run: ``python benchmarks/memory_cases.py [--cases FILE] [--json] [--fail-over]``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import yaml

import dsv3calc

CASES = Path(__file__).with_suffix(".yaml")
GIB, GB = 2**30, 10**9
TOTALS = {"allocated": "allocated", "reserved": "reserved", "estimate": "allocated"}
"""Kind of a measurement -> the total that it is held against."""


def query_of(case: dict[str, Any], source: dict[str, Any]) -> str:
    """Return the query of a case: its layout, the recipe, and what the rules add."""
    facts = case.get("facts", {})
    added = [
        rule["options"]
        for rule in source.get("rules", ())
        if facts.get(rule["fact"]) == rule["value"]
    ]
    return " ".join(["memory", case["query"], source["recipe"], *added])


def scored(case: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    """Answer a case."""
    query = query_of(case, source)
    found = dsv3calc.query(query)[f"memory.worst.{TOTALS[case['kind']]}"]
    measured = case["measured_gib"]
    return {
        "id": case["id"],
        "source": case["source"],
        "group": case["group"],
        "rows": case["rows"],
        "kind": case["kind"],
        "measured_gib": measured,
        "answer_gib": found / GIB,
        "error": found / GIB / measured - 1,
        "error_if_gb": found / GB / measured - 1,
        "apart": case.get("apart"),
        "query": query,
    }


def summary(cases: list[dict[str, Any]], goal: float) -> dict[str, Any]:
    """Return how far a source's cases are off; a case counts once, whatever rows it stands for."""
    errors = [case["error"] for case in cases]
    median = statistics.median(map(abs, errors))
    return {
        "cases": len(cases),
        "rows": sum(case["rows"] for case in cases),
        "groups": len({case["group"] for case in cases}),
        "median_abs_error": median,
        "largest_abs_error": max(map(abs, errors)),
        "bias": statistics.mean(errors),
        "goal": goal,
        "met": median <= goal,
    }


def measure(path: Path) -> dict[str, Any]:
    """Answer all cases of a file."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    cases = [scored(case, data["sources"][case["source"]]) for case in data["cases"]]
    counted = [case for case in cases if not case["apart"]]
    return {
        "sources": {
            name: summary(own, source["goal"])
            for name, source in data["sources"].items()
            if (own := [case for case in counted if case["source"] == name])
        },
        "cases": cases,
    }


def show(found: dict[str, Any]) -> None:
    """Print the cases and the summaries."""
    print(f"{'case':34}{'kind':>10}{'measured':>10}{'answer':>9}{'error':>8}")
    for case in found["cases"]:
        if not case["apart"]:
            print(_row(case))
    print("\nnot scored (error if the measured figure is in GiB, and if it is in GB)")
    for case in found["cases"]:
        if case["apart"]:
            print(f"{_row(case)} {case['error_if_gb']:+7.1%}  {case['apart']}")
    print()
    for name, each in found["sources"].items():
        print(
            f"{name}: median error {each['median_abs_error']:.2%} (goal {each['goal']:.1%}), "
            f"largest {each['largest_abs_error']:.2%}, bias {each['bias']:+.2%}; "
            f"{each['cases']} cases for {each['rows']} rows in {each['groups']} groups"
        )


def _row(case: dict[str, Any]) -> str:
    return (
        f"{case['id']:34}{case['kind']:>10}{case['measured_gib']:10.2f}"
        f"{case['answer_gib']:9.2f}{case['error']:+8.1%}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=Path, default=CASES, help="a file of cases")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--fail-over", action="store_true", help="exit with 1 where a median is beyond its goal"
    )
    options = parser.parse_args()
    found = measure(options.cases)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)
    if options.fail_over and not all(each["met"] for each in found["sources"].values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
