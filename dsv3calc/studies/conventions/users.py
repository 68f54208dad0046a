"""Which papers and tools count under which named convention.

Papers are found in the queries of their figures: a convention that is chosen there, or that a
bundle chosen there fixes. Tools are a table: what their code was seen to count.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.conventions import BUNDLES
from dsv3calc.studies.goldens.reproduce import paper_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Choice = tuple[str, str]

TOOLS: dict[tuple[str, str], tuple[str, ...]] = {
    ("attention", "half"): ("Megatron-LM",),
    ("attention", "full"): ("SimuMax", "llm-analysis", "calculon"),
    ("router", "out"): ("Megatron-LM",),
    ("router", "in"): ("SimuMax",),
    ("bundle", "isca25-table2"): ("Megatron-LM",),
}
"""Convention and choice -> tools whose FLOP formulas count so; libraries have bundles."""

_LIBRARY = "--as"
_OPTION = re.compile(r"--([a-z][a-z-]*)[ =]([A-Za-z0-9][\w.,-]*)")
_FLAG = re.compile(r"--with-mtp\b")


def add_users(rows: Sequence[dict[str, Any]]) -> None:
    """Say of each listed choice which papers and tools count so."""
    choices: dict[Choice, list[str]] = {}
    for row in rows:
        for option in row["option"].replace(",", " ").split():
            choices.setdefault((option.removeprefix("--"), row["choice"]), []).append(
                row["convention"]
            )
    papers: dict[Choice, list[str]] = {}
    for name, path in paper_files().items():
        with open(path, encoding="utf-8") as file:
            queries = "\n".join(line for line in file if line.lstrip("- ").startswith("query:"))
        for choice in chosen_in(queries, choices):
            papers.setdefault(choice, []).append(name)
    for row in rows:
        key = (row["convention"], row["choice"])
        row["papers"] = papers.get(key, [])
        row["tools"] = [*_libraries(key), *TOOLS.get(key, ())]


def chosen_in(queries: str, choices: Mapping[Choice, Sequence[str]]) -> set[Choice]:
    """Return the conventions, with their choices, that texts of queries choose by options.

    ``choices`` has the conventions of an option, without its dashes, and a choice.
    """
    found: set[Choice] = {("mtp", "in")} if _FLAG.search(queries) else set()
    for option, values in _OPTION.findall(queries):
        for value in values.split(","):
            found |= {(convention, value) for convention in choices.get((option, value), ())}
            if ("bundle", value) in found:
                found |= set(BUNDLES[value].fixes.items())
    return found


def _libraries(key: Choice) -> list[str]:
    """Return the libraries, each with a bundle of its own, that count so."""
    convention, choice = key
    return [
        name
        for name, bundle in BUNDLES.items()
        if bundle.option == _LIBRARY
        and (key == ("bundle", name) or bundle.fixes.get(convention) == choice)
    ]
