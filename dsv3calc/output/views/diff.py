"""Tables of ``diff``: headlines, fields that changed, other values, the largest change first."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import SHOWN_UNITS, Table, View

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer


HEADLINES = (
    "parameters.total",
    "parameters.active",
    "weights.bytes",
    "flops.per_token",
    "kv_cache.bytes_per_token",
    "memory.worst.total",
    "serving.total",
)
"""Lines that stand first, in a table of their own."""


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    query = answer.query
    heading = f"{query['a']} -> {query['b']}: {query['changed']:,} of {query['compared']:,} values"
    heading += " changed"
    if "over" in query:
        heading += f", {query['over']:,} beyond {100 * query['fail_over']:g} %"
    place = "section" if query["of"] == "model" else "column"
    fields = [row for row in answer.rows if row["section"] == "field"]
    values = [row for row in answer.rows if row["section"] != "field"]
    tables = []
    first = [row for row in values if row["name"] in HEADLINES]
    values = [row for row in values if row not in first]
    if first:
        first.sort(key=lambda row: HEADLINES.index(row["name"]))
        tables.append(_table("headline", place, first, exact=exact))
    if fields:
        tables.append(_table("field", "", fields, exact=exact))
    if values:
        tables.append(_table("quantity", place, values, exact=exact))
    return View(heading, tables)


def _table(what: str, place: str, rows: list[dict[str, Any]], *, exact: bool) -> Table:
    """Show rows; ``place`` is the part of a row that tells where its name belongs."""
    judged = "over" in rows[0]
    shown = []
    for row in rows:
        cells = [row["name"], row[place]] if place else [row["name"]]
        cells += _amounts(row, exact=exact)
        cells += [_times(row["ratio"], exact=exact), _percent(row, exact=exact)]
        shown.append([*cells, "yes" if row["over"] else "no"] if judged else cells)
    headings = [what, "in"] if place else [what]
    headings += ["old", "new", "difference", "ratio", "change"]
    words = (1,) if place else ()
    headings += ["beyond"] if judged else []
    return Table("", headings, shown, words, labels=2 if place else 1)


def _amounts(row: dict[str, Any], *, exact: bool) -> list[str]:
    """Return old, new and difference; unrounded where old and new would look the same."""
    unit = SHOWN_UNITS.get(row["unit"], row["unit"])
    both = [_amount(row[name], unit, exact=exact) for name in ("a", "b")]
    if both[0] == both[1]:
        both = [_amount(row[name], unit, exact=True) for name in ("a", "b")]
    difference = row["difference"]
    if difference is None:
        return [*both, ""]
    sign = "+" if difference > 0 else ""
    return [*both, sign + _amount(difference, unit, exact=exact)]


def _amount(value: Any, unit: str, *, exact: bool) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return format_quantity(value, unit, exact=exact)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _times(ratio: float | None, *, exact: bool) -> str:
    if ratio is None:
        return ""
    text = f"{ratio!r}" if exact else f"{ratio:.4g}"
    return f"{ratio:.8g}x" if text == "1" else f"{text}x"


def _percent(row: dict[str, Any], *, exact: bool) -> str:
    """Return the change in percent, or in a word where there is no percentage."""
    change = row["change"]
    if change is None:
        if row["status"] != "changed":
            return str(row["status"])
        if row["difference"] is None or isinstance(row["a"], bool):
            return ""
        return "from 0" if row["a"] == 0 else "other sign"
    if exact:
        return f"{change:+} %"
    if 0.01 <= abs(change) < 1e6:  # noqa: PLR2004 - where two decimals say enough
        return f"{change:+,.2f} %"
    return f"{change:+.3g} %"
