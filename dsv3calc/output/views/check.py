"""Tables of ``check``: what changed and why, and what could not be checked."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.check_report import WHOLE_FILE, causes_of, short_name, verdict_counts
from dsv3calc.output.view import Table, View
from dsv3calc.reading.files import shown_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.output.check_report import Cause
    from dsv3calc.studies.answer import Answer

MOST_REASONS = 5
MOST_ROWS = 3
"""Rows that are shown of a cause."""
_STATED = ("tolerance", "source", "note")


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    tables = []
    moved = [row for row in answer.rows if row["status"] == "moved"]
    broken = [row for row in answer.rows if row["status"] == "broken"]
    if moved:
        rows: list[list[str]] = []
        for cause in causes_of(moved):
            if len(cause.rows) > 1 and not answer.query.get("all"):
                rows += _caused(cause, exact=exact)
            else:
                for row in cause.rows:
                    rows += _moved(row, exact=exact)
        tables.append(Table("", ["changed", "expected", "now", "difference"], rows))
    if broken:
        groups = [[row] for row in broken] if answer.query.get("all") else _by_reason(broken)
        lines = [line for rows in groups for line in _broken(*rows)]
        tables.append(Table("", ["error"], lines))
    return View([verdict_counts(answer)], tables)


def _caused(cause: Cause, *, exact: bool) -> list[list[str]]:
    """Show what rows changed for one reason: the first of them, each on a line."""
    count = len(cause.rows)
    where = f" at {cause.place}" if cause.place else ""
    lines = [[f"{count:,} row{'' if count == 1 else 's'} changed: {cause.words}{where}"]]
    for row in cause.rows[:MOST_ROWS]:
        both = [_amount(row[name], row["unit"], exact=exact or _alike(row))
                for name in ("expected", "value")]  # fmt: skip
        lines.append([f"  {short_name(row)}", *both, _change(row)])
    if count > MOST_ROWS:
        lines.append([f"  and {count - MOST_ROWS:,} more: --all lists them", "", "", ""])
    return lines


def _change(row: dict[str, Any]) -> str:
    """Return the change in percent, or the difference where there is none."""
    expected, value = row["expected"], row["value"]
    if isinstance(expected, str) or not expected:
        return str(row["difference"] or "")
    return f"{100 * (value - expected) / expected:+.4g} %"


def place(row: dict[str, Any]) -> str:
    """Return the place of a row's expectation, from the working directory where it lies below."""
    return f"{shown_path(row['file'])}:{row['line']}"


def _by_reason(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Put rows together that fail for the same reason, such as one broken preset."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row["why"]), []).append(row)
    yield from found.values()


def _broken(row: dict[str, Any], *more: dict[str, Any]) -> list[list[str]]:
    reasons = [line for text in row["why"] for line in text.split("\n")]
    others = f", and {len(more):,} more row{'s' if len(more) > 1 else ''}" if more else ""
    return [
        [place(row) + others],
        *([[f"  {row['quantity']} of {row['query']}"]] if row["query"] != WHOLE_FILE else []),
        *([f"    {reason}"] for reason in reasons),
        *([line] for line in _stated(row)),
    ]


def _stated(row: dict[str, Any]) -> list[str]:
    """Return what the file says of a row that failed: how exact it is, from where, and a note.

    A bound is its own tolerance, and shown as expected.
    """
    names = ("source", "note") if isinstance(row["expected"], str) else _STATED
    return [f"    {name}: {row[name]}" for name in names if row[name]]


def _moved(row: dict[str, Any], *, exact: bool) -> list[list[str]]:
    expected = row["expected"]
    if not isinstance(expected, str):
        expected = _amount(expected, row["unit"], exact=exact or _alike(row))
    bound = isinstance(row["expected"], str)  # in words, perhaps in other units: show all digits
    now = _amount(row["value"], row["unit"], exact=exact or bound or _alike(row))
    column = f"[{row['column']}]" if row["column"] else ""
    lines = [
        [place(row)],
        [f"  {row['quantity']}{column} of {row['query']}", "", "", ""],
        ["", expected, now, row["difference"]],
    ]
    reasons = row["why"]
    lines += [[f"    because {reason}", "", "", ""] for reason in reasons[:MOST_REASONS]]
    if len(reasons) > MOST_REASONS:
        lines.append([f"    and {len(reasons) - MOST_REASONS} more", "", "", ""])
    return lines + [[line, "", "", ""] for line in _stated(row)]


def _alike(row: dict[str, Any]) -> bool:
    """Tell whether expected and actual value would look the same when rounded."""
    return _amount(row["expected"], row["unit"], exact=False) == _amount(
        row["value"], row["unit"], exact=False
    )


def _amount(value: Any, unit: str | None, *, exact: bool) -> str:
    if isinstance(value, str) or value is None:
        return value or "-"
    return format_quantity(value, unit or "1", exact=exact)
