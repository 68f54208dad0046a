"""Write goldens from queries, and rewrite the expectations that moved, comments kept."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import codecs
import contextlib
import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.ledger.tags import RATIO
from dsv3calc.queries.command_line import query_text
from dsv3calc.reading.diagnostics import quote
from dsv3calc.reading.files import locked, write_whole
from dsv3calc.reading.source import Source, read_source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.golden import GoldenFile
from dsv3calc.studies.goldens.fingerprint import made_from
from dsv3calc.studies.goldens.verdict import LARGEST_GOLDEN_FILE, load_goldens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.ledger.line import Line
    from dsv3calc.schema.golden import Golden
    from dsv3calc.studies.answer import Column
    from dsv3calc.studies.goldens.verdict import Ask, Row


def snapshot_goldens(
    queries: Sequence[str], quantities: Sequence[str], *, ask: Ask
) -> tuple[str, list[dict[str, Any]]]:
    """Answer queries and write their numbers as a golden file; return it and its rows as data.

    Parameters
    ----------
    queries
        Queries as on the command line.
    quantities
        Patterns of the quantities to write; without any, what each answer leads with.
    ask
        What answers a query written as on the command line: ``dsv3calc.answer``.

    Raises
    ------
    UsageError
        If a query is wrong, given twice, or a pattern matches nothing.
    InvalidInput
        If a preset is.
    """
    texts = [query_text(query) for query in queries]
    for text in texts:
        if not _is_utf8(text):
            raise UsageError(
                f"{quote(text)}: a golden file cannot hold a name that is not UTF-8",
                "rename the file",
            )
    if len(set(texts)) != len(texts):
        raise UsageError("a query is given twice", "each number is written once")
    texts_of_rows: list[str] = []
    rows: list[dict[str, Any]] = []
    matched: set[str] = set()
    for text in texts:
        found = ask(text)
        for column in found.columns:
            several = len(found.columns) > 1
            for line in _chosen(column, quantities, matched):
                texts_of_rows.append(row_text(text, column, line, several=several))
                rows.append(
                    {
                        "query": text,
                        "quantity": line.name,
                        "column": column.id if several else None,
                        "expect": line.value,
                        "unit": line.unit,
                    }
                )
    for pattern in quantities:
        if pattern not in matched:
            raise UsageError(
                f"--quantity {pattern!r} matches no quantity",
                "dsv3calc QUERY --format csv lists the quantities of a query",
            )
    return "goldens:\n" + "".join(texts_of_rows), rows


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _chosen(column: Column, quantities: Sequence[str], matched: set[str]) -> Iterator[Line]:
    for name, line in column.ledger.named().items():
        if not quantities:
            if line in column.ledger.lines and line.tags.quantity != RATIO:
                yield line
            continue
        hits = [pattern for pattern in quantities if fnmatchcase(name, pattern)]
        matched.update(hits)
        if hits:
            yield line


def row_text(query: str, column: Column, line: Line, *, several: bool) -> str:
    """Write one golden row as YAML; what it was made from stands on one line, in JSON's form."""
    fields = [("query", query), ("quantity", line.name)]
    if several:
        fields.append(("column", column.id))
    text = "".join(
        f"  {'-' if number == 0 else ' '} {name}: {_text(value)}\n"
        for number, (name, value) in enumerate(fields)
    )
    return (
        f"{text}    expect: {number_text(line.value)}\n    unit: {_text(line.unit)}\n"
        f"    made_from: {origin_text(line)}\n"
    )


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def number_text(value: float) -> str:
    """Write a number so that it is read back equal: integers plainly, floats in full."""
    return repr(value)


def origin_text(line: Line) -> str:
    """Write what a line was made from as one line of YAML."""
    return json.dumps(made_from(line), ensure_ascii=False)


def update_file(path: str, rows: Sequence[Row]) -> int:
    """Write the new values of moved rows into their golden file; return how many.

    Comments, order and everything else stay as they are, and the file is replaced whole. Bounds are
    decisions, not observations: they are left alone, as are figures that are said not to follow.

    Raises
    ------
    UsageError
        If the file is immutable, read-only, changed meanwhile, or being updated by another process.
    """
    moved = [row for row in rows if row.status == "moved" and _is_observed(row.golden)]
    if not moved:
        return 0
    with _locked(path):
        source, file, _ = load_goldens(path)
        if file.immutable:
            raise UsageError(
                f"{path}: these goldens are immutable, they are somebody else's figures",
                "a new source means a new file",
            )
        edits: dict[tuple[str | int, ...], str] = {}
        for row in moved:
            if row.index >= len(file.goldens) or file.goldens[row.index] != row.golden:
                raise UsageError(f"{path}: the file changed during the check", "run it again")
            edits["goldens", row.index, "expect"] = number_text(row.value)
            if row.golden.made_from:
                edits["goldens", row.index, "made_from"] = json.dumps(
                    row.made_from, ensure_ascii=False
                )
        try:
            text = replace_values(source.text, edits)
        except UsageError as error:
            raise UsageError(f"{path}: {error.message}", error.hint) from None
        # what is written must be read back as meant, or the file stays as it is
        convert(Source(path, text), Source(path, text).data, GoldenFile)
        with open(path, "rb") as raw:
            text = "\ufeff" + text if raw.read(3) == codecs.BOM_UTF8 else text
        if read_source(path, LARGEST_GOLDEN_FILE).text != source.text:
            raise UsageError(f"{path}: the file changed during the update", "run it again")
        write_whole(path, [text], force=True)
    return len(moved)


def _is_observed(golden: Golden) -> bool:
    return golden.reproduces and not isinstance(golden.expect, str)


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Hold a file against a second update; the lock ends with the process in every case.

    Raises
    ------
    UsageError
        If another process holds it, or the file is not writable.
    """
    import os

    if not os.access(path, os.W_OK) or not os.stat(path).st_mode & 0o222:
        raise UsageError(
            f"{path}: the file is read-only", "make it writable, or leave --update out"
        )
    # where a system has no locks, the comparison of the text must do
    with locked(path, f"{path}: another update is going on", "run it again"):
        yield


def replace_values(text: str, edits: dict[tuple[str | int, ...], str]) -> str:
    """Replace the values at some paths of a YAML text; everything else stays, byte for byte."""
    spans = []
    for path, start, end in _value_spans(text):
        if path in edits:
            spans.append((start, end, edits[path]))
    if len(spans) != len(edits):
        missing = len(edits) - len(spans)
        raise UsageError(f"{missing} of the values to update are not in the file", "run it again")
    for start, end, new in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _value_spans(text: str) -> Iterator[tuple[tuple[str | int, ...], int, int]]:
    """Yield the path and the span of every value of a YAML text that the strict reader accepted.

    Raises
    ------
    UsageError
        If the text is not YAML for this parser.
    """
    import yaml

    # the pure parser: its marks count characters, also beyond the basic plane
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:  # it takes fewer tabs than libyaml does
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(
            f"line {line} cannot be rewritten in place: {error.problem}",
            "write spaces where the file has tabs",
        ) from None
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), root)]
    while stack:
        path, node = stack.pop()
        yield path, node.start_mark.index, _end(node)
        if isinstance(node, yaml.MappingNode):
            stack.extend(((*path, key.value), value) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            stack.extend(((*path, number), item) for number, item in enumerate(node.value))


def _end(node: Any) -> int:
    """Return where a value ends: a block with its last value, not where the next thing starts."""
    children = node.value if isinstance(node.value, list) else []
    if not children or node.flow_style:
        return int(node.end_mark.index)
    last = children[-1]
    return _end(last[1] if isinstance(last, tuple) else last)
