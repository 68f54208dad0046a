"""Tables and sources of an answer as HTML; numbers lead to how they are derived."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from dsv3calc.output.view import Cell
from dsv3calc.reading.escaping import html
from dsv3calc.studies.explain.tree import computed_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.output.view import Table, View
    from dsv3calc.studies.answer import Answer


def place_of(column: str, name: str) -> str:
    """Return the place on a page at which the line of a column is derived."""
    return quote(f"{column}:{name}", safe=".:")


class Links:
    """Where on a page the lines that cells show are derived."""

    def __init__(self, answer: Answer, derived: set[str]) -> None:
        self._derived = derived
        self._places = {
            id(line): place_of(column.id, name)
            for column in answer.columns
            for name, line in computed_lines(column.ledger).items()
        }

    def cell(self, cell: str) -> str:
        """Return a cell as HTML: a number that is derived on the page leads there."""
        line = cell.line if isinstance(cell, Cell) else None
        place = self._places.get(id(line))
        return f'<a href="#{place}">{html(cell)}</a>' if place in self._derived else html(cell)


def tables(view: View, links: Links) -> Iterator[str]:
    """Yield the tables of a view."""
    for table in view.full:
        yield '<div class="wide"><table>'
        if any(table.headings):
            yield f"<thead>{_row(table, table.headings, 'th', links)}</thead>"
        yield "<tbody>"
        for row in table.rows:
            yield _row(table, row, "td", links)
        yield "</tbody></table></div>"


def _row(table: Table, row: Sequence[str], tag: str, links: Links) -> str:
    cells = []
    for number, cell in enumerate([*row, *[""] * (len(table.headings) - len(row))]):
        name = "th" if table.is_section(row) and not number else tag
        words = ' class="words"' if number in table.left else ""
        cells.append(f"<{name}{words}>{links.cell(cell)}</{name}>")
    return f"<tr>{''.join(cells)}</tr>"


def sources(answer: Answer) -> list[str]:
    """Return the list of the sources of an answer."""
    found = []
    for source in answer.sources:
        parts = [html(source["kind"]), html(source["citation"])]
        if source["url"].startswith("https://"):
            parts.append(link(source["url"]))
        if source["read"]:
            parts.append(f"read {html(source['read'])}")
        found.append(
            f"<li><code>{html(source['id'])}</code>: {'; '.join(filter(None, parts))}</li>"
        )
    return ["<ul>", *found, "</ul>"] if found else []


def link(url: str) -> str:
    """Return an address as a link that does not tell where it was followed from."""
    return f'<a href="{html(url)}" rel="noreferrer">{html(url)}</a>'
