"""What the reports for pipelines share: the names, places and words of checked rows.

Every text that comes from a golden file passes through ``escape``: what is left has no control
character, no line break and no lone surrogate, so that no format has to care for them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from dsv3calc.reading.escaping import escape
from dsv3calc.reading.files import path_below

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsv3calc.studies.answer import Answer

WHOLE_FILE = "(file)"
"""The query of a row that stands for a file which could not be read."""


def failed_rows(answer: Answer) -> list[dict[str, Any]]:
    """Return the rows that changed or could not be checked, in the order of the files."""
    return [row for row in answer.rows if row["status"] != "kept"]


def verdict_counts(answer: Answer) -> str:
    """Say in one line how many rows there were and what became of them."""
    counts = Counter(outcome(row) for row in answer.rows)
    always, others = ("unchanged", "changed"), ("within budget", "outside budget")
    told = [f"{counts[name]:,} {name}" for name in always]
    told += [f"{counts[name]:,} {name}" for name in others if counts[name]]
    if counts["error"]:
        told.append(f"{counts['error']:,} error{'' if counts['error'] == 1 else 's'}")
    total = len(answer.rows)
    return f"{total:,} row{'' if total == 1 else 's'}: {', '.join(told)}"


def outcome(row: dict[str, Any]) -> str:
    """Return what became of a row in a word; a bound is a budget."""
    if row["status"] == "broken":
        return "error"
    if isinstance(row["expected"], str):
        return "within budget" if row["status"] == "kept" else "outside budget"
    return "unchanged" if row["status"] == "kept" else "changed"


class Cause(NamedTuple):
    """Rows that changed for one reason: what changed and where, if that is known."""

    words: str
    place: str
    rows: list[dict[str, Any]]


MOST_CHANGES = 2
"""Changes that the words of a cause name."""


def causes_of(rows: Iterable[dict[str, Any]]) -> list[Cause]:
    """Group rows by what changed; a row whose cause is not known stands alone, without words."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for number, row in enumerate(rows):
        known = row["status"] == "moved" and row.get("changes")
        key = tuple(row["changes"]) if known else (f"\0{number}",)
        found.setdefault(key, []).append(row)
    return [_cause(key, group) for key, group in found.items()]


def _cause(changes: tuple[str, ...], rows: list[dict[str, Any]]) -> Cause:
    if changes[0].startswith("\0"):
        return Cause("", "", rows)
    words = "; ".join(changes[:MOST_CHANGES])
    more = len(changes) - MOST_CHANGES
    words += f" and {more} more" if more > 0 else ""
    place = next(iter(rows[0]["changed_at"]), "")
    return Cause(escape(words), place, rows)


def repository_path(path: str) -> str:
    """Return a path as a pipeline names it: from the top of the repository, with slashes.

    The top is ``GITHUB_WORKSPACE`` where that is set, else the working directory. A file that is
    not below it keeps its absolute path.
    """
    top = os.environ.get("GITHUB_WORKSPACE") or os.getcwd()
    return (path_below(path, top) or os.path.abspath(path)).replace(os.sep, "/")


def start_line(row: dict[str, Any]) -> int:
    """Return the line of a failed row's expectation, counted from 1."""
    return max(1, row["line"] or 1)


def short_name(row: dict[str, Any]) -> str:
    """Return the quantity of a row, with its column where it has one."""
    if row["query"] == WHOLE_FILE:
        return "the whole file"
    column = f"[{row['column']}]" if row["column"] else ""
    return escape(f"{row['quantity']}{column}")


def row_name(row: dict[str, Any]) -> str:
    """Return the name of a row; a bound belongs to it, for a number may have several."""
    if row["query"] == WHOLE_FILE:
        return short_name(row)
    bound = f": {row['expected']}" if isinstance(row["expected"], str) else ""
    id_ = f"{escape(row['id'])}: " if row["id"] else ""
    return f"{id_}{short_name(row)} of {escape(row['query'] + bound)}"


def amount(value: Any, unit: str | None) -> str:
    """Write a value with its unit, unrounded."""
    return escape(f"{value} {unit}" if unit not in (None, "", "1") else f"{value}")


def expectation(row: dict[str, Any]) -> str:
    """Return what a row expects, with its tolerance."""
    return escape(row["tolerance"] or str(row["expected"]))


def headline(row: dict[str, Any]) -> str:
    """Say in one line what is wrong with a failed row."""
    if row["status"] == "moved":
        now = amount(row["value"], row["unit"])
        return f"{short_name(row)} of {escape(row['query'])} is {now}, expected {expectation(row)}"
    first = (message_lines(row) or ["no reason is known"])[0]
    return first if row["query"] == WHOLE_FILE else f"{row_name(row)} cannot be checked: {first}"


def details(row: dict[str, Any]) -> list[str]:
    """Return what there is to say beyond the headline, as lines: how far, why, from where."""
    if row["status"] == "moved":
        lines = [f"difference: {escape(row['difference'])}"] if row["difference"] else []
        lines += [f"because {escape(reason)}" for reason in row["why"]]
    else:
        lines = message_lines(row)[1:]
    lines += [f"{name}: {escape(row[name])}" for name in ("source", "note") if row[name]]
    return lines


def message_lines(row: dict[str, Any]) -> list[str]:
    """Return why a row failed, as lines: a problem of a file shows the place in it."""
    return [escape(line) for text in row["why"] for line in text.split("\n")]
