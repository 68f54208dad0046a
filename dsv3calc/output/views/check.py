"""Tables of ``check``: what changed and why, and what could not be checked."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.check_report import verdict_counts
from dsv3calc.output.view import Table, View
from dsv3calc.reading.files import shown_path

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

MOST_REASONS = 5
_STATED = ("tolerance", "source", "note")


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    tables = []
    moved = [row for row in answer.rows if row["status"] == "moved"]
    broken = [row for row in answer.rows if row["status"] == "broken"]
    if moved:
        rows: list[list[str]] = []
        for row in moved:
            rows += _moved(row, exact=exact)
        tables.append(Table("", ["changed", "expected", "now", "difference"], rows))
    if broken:
        tables.append(Table("", ["error"], [line for row in broken for line in _broken(row)]))
    return View([verdict_counts(answer)], tables)


def place(row: dict[str, Any]) -> str:
    """Return the place of a row's expectation, from the working directory where it lies below."""
    return f"{shown_path(row['file'])}:{row['line']}"


def _broken(row: dict[str, Any]) -> list[list[str]]:
    reasons = [line for text in row["why"] for line in text.split("\n")]
    return [
        [place(row)],
        [f"  {row['quantity']} of {row['query']}"],
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
