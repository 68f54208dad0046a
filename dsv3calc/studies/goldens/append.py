"""Add rows to a golden file as it stands: comments, order and form of what it has are kept."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.queries.command_line import query_text
from dsv3calc.reading.diagnostics import quote
from dsv3calc.reading.files import write_whole
from dsv3calc.reading.source import Source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.golden import GoldenFile
from dsv3calc.studies.goldens.verdict import LARGEST_GOLDEN_FILE, load_goldens

if TYPE_CHECKING:
    from dsv3calc.schema.golden import Golden

_ROW = re.compile(r"^  - ", re.MULTILINE)
_ITEM = re.compile(r"^( *)- ", re.MULTILINE)


def append_goldens(path: str, text: str) -> tuple[str, list[dict[str, Any]]]:
    """Add the rows of a golden file's text to a file that lists some; return what was added.

    Rows whose query, quantity and column the file has already are left out.

    Raises
    ------
    UsageError
        If the file is not written as a list in blocks at its end.
    InvalidInput
        If it is no golden file.
    """
    source, file, broken = load_goldens(path)
    have = {_key(golden) for index, golden in enumerate(file.goldens) if index not in broken}
    new = convert(Source("", text), Source("", text).data, GoldenFile).goldens
    texts = [text[start.start() : end] for start, end in _spans(text)]
    added = [(row, each) for row, each in zip(new, texts, strict=True) if _key(row) not in have]
    indent = _indent(source)
    shift = " " * indent
    rows = "".join(
        "".join(f"{shift}{line.removeprefix('  ')}\n" for line in each.splitlines())
        for _, each in added
    )
    whole = source.text + ("" if source.text.endswith("\n") else "\n") + rows
    _check(path, whole, len(file.goldens) + len(added))
    if added:
        write_whole(path, [whole], force=True)
    return "", [
        {"query": query_text(row.query), "quantity": row.quantity, "expect": row.expect}
        for row, _ in added
    ]


def _spans(text: str) -> list[tuple[re.Match[str], int]]:
    starts = [*_ROW.finditer(text)]
    ends = [start.start() for start in starts[1:]] + [len(text)]
    return list(zip(starts, ends, strict=True))


def _key(golden: Golden) -> tuple[str, str, str]:
    return query_text(golden.query), golden.quantity, golden.column


def _indent(source: Source) -> int:
    """Return the spaces before the items of the list."""
    place = source.position(("goldens", 0))
    lines = source.text.splitlines()
    found = _ITEM.match(lines[place.line - 1]) if place.line <= len(lines) else None
    if found is None:
        raise UsageError(
            f"--append {quote(source.name)}: its rows are not written as a list in blocks",
            "write each row on lines of its own, the first with '- ' in front",
        )
    return len(found[1])


def _check(path: str, whole: str, count: int) -> None:
    """Refuse a file that would not hold the rows: something stands below its list."""
    source = Source(path, whole, largest=LARGEST_GOLDEN_FILE)
    try:
        data = source.data
    except InvalidInput:
        data = None
    if not isinstance(data, dict) or len(data.get("goldens") or ()) != count:
        raise UsageError(
            f"--append {quote(path)}: rows cannot be added at the end of the file",
            "let goldens be the last of its fields",
        )
