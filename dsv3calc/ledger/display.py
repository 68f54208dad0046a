"""A ledger in a Python session: as text, as a table of a notebook, as a frame of pandas."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dsv3calc.numbers.quantity_format import format_quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST = 20
"""Lines that are shown of a ledger."""


def _amount(line: Any) -> str:
    if isinstance(line.value, int | float):
        return format_quantity(line.value, line.unit, exact=False)
    return f"{line.value} {line.unit}".strip()


def as_text(title: str, lines: Sequence[Any], count: int) -> str:
    """Return the first lines with their values; ``count`` is how many names there are in all."""
    shown = lines[:MOST]
    width = max((len(line.name) for line in shown), default=0)
    rows = [f"  {line.name:{width}}  {_amount(line)}" for line in shown]
    if len(lines) > MOST:
        rows.append(f"  and {len(lines) - MOST} more")
    return "\n".join([f"{title}: {count} numbers by name", *rows])


def as_html(title: str, lines: Sequence[Any]) -> str:
    """Return the first lines as a table for a notebook."""
    from html import escape  # its table of entities is no part of a query

    rows = "".join(
        f"<tr><td><code>{escape(line.name)}</code></td><td style='text-align:right'>"
        f"{escape(_amount(line))}</td><td>{escape(line.convention)}</td></tr>"
        for line in lines[:MOST]
    )
    more = f"<p>and {len(lines) - MOST} more</p>" if len(lines) > MOST else ""
    head = "<tr><th>name</th><th>value</th><th>convention</th></tr>"
    return f"<b>{escape(title)}</b><table>{head}{rows}</table>{more}"


def frame(rows: Iterable[dict[str, Any]], index: str) -> Any:
    """Return rows as a pandas DataFrame.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        pandas = import_module("pandas")
    except ImportError:
        words = "to_pandas() needs pandas, which is not installed: pip install pandas"
        raise ImportError(words) from None
    return pandas.DataFrame(list(rows)).set_index(index)
