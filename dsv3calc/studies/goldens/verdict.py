"""Check golden files: which numbers moved, by how much, and why."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from dsv3calc.catalogue.overrides import current_place
from dsv3calc.errors import Dsv3calcError, InvalidInput, UsageError
from dsv3calc.queries.command_line import key_fault, query_text
from dsv3calc.reading.diagnostics import Problem, did_you_mean, suggest
from dsv3calc.reading.files import shown_path
from dsv3calc.reading.source import Source, read_source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.golden import Golden, GoldenFile
from dsv3calc.studies.goldens.fingerprint import explain_change, made_from
from dsv3calc.studies.goldens.paths import seen_from_here
from dsv3calc.studies.goldens.tolerance import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.goldens.fingerprint import Reason

    Ask = Callable[[str], Answer]

LARGEST_GOLDEN_FILE = 32 * 1024**2
"""Bytes of a golden file: some tens of thousands of rows with what they were made from."""

MOST_ANSWERS_KEPT = 16
"""Rows of one query stand together as a rule; more answers than this are not kept in memory."""

Status = Literal["kept", "moved", "broken"]


class Row:
    """One golden row and what became of it."""

    __slots__ = (
        "changes",
        "convention",
        "difference",
        "file",
        "golden",
        "index",
        "line",
        "made_from",
        "message",
        "reasons",
        "source",
        "status",
        "unit",
        "value",
        "wanted",
    )

    def __init__(self, source: Source, index: int, golden: Golden) -> None:
        self.source = source
        self.file = source.name
        self.index = index
        self.golden = golden
        self.status: Status = "kept"
        self.value: Any = None
        self.unit = golden.unit
        self.convention = golden.convention
        self.wanted = ""
        self.difference = ""
        self.message = ""
        self.reasons: list[str] = []
        self.changes: list[Reason] = []
        self.made_from: dict[str, Any] = {}
        self.line = 0

    @property
    def query(self) -> str:
        """The query as a command line."""
        return query_text(self.golden.query)

    @property
    def name(self) -> str:
        """Id, quantity, column and query: what reports are titled with."""
        return f"{self.golden.id}: {self.number}" if self.golden.id else self.number

    @property
    def number(self) -> str:
        """Quantity, column and query."""
        column = f"[{self.golden.column}]" if self.golden.column else ""
        return f"{self.golden.quantity}{column} of {self.query}"

    def locate(self) -> int:
        """Return the line of the row's expectation in its file; looked up when it is needed."""
        if not self.line:
            self.line = self.source.position(("goldens", self.index, "expect")).line
        return self.line


def golden_files(paths: Iterable[str]) -> list[str]:
    """List the golden files among paths; of a directory all YAML files below it.

    Raises
    ------
    InvalidInput
        If a directory holds none, or one in it cannot be read.
    """
    import os

    found: list[str] = []
    for path in paths:
        if not os.path.isdir(path):
            found.append(path)
            continue
        inside = [
            os.path.join(folder, file)
            for folder, _, files in sorted(os.walk(path, onerror=_refuse_directory))
            for file in sorted(files)
            if file.endswith((".yaml", ".yml", ".json"))
        ]
        if not inside:
            raise InvalidInput(
                [Problem(path, None, None, "no golden file is in this directory",
                         valid="files ending in .yaml, .yml or .json")]
            )  # fmt: skip
        found += inside
    return list(dict.fromkeys(found))


def _refuse_directory(error: OSError) -> NoReturn:
    what = f"the directory cannot be read: {error.strerror}"
    raise InvalidInput([Problem(str(error.filename), None, None, what)])


def load_goldens(path: str) -> tuple[Source, GoldenFile, dict[int, list[Problem]]]:
    """Read a golden file: its sound rows, and the problems of each other row by its index.

    Rows keep their places: a broken one is followed by its neighbours, not hidden by them.

    Raises
    ------
    InvalidInput
        If the file is no golden file at all: not YAML, no rows, an unknown field of the file.
    """
    source = read_source(path, LARGEST_GOLDEN_FILE)
    data = source.data
    if isinstance(data, dict) and data and "goldens" not in data and not suggest("goldens", data):
        what = "this is no golden file: it has no 'goldens'"
        hint = "dsv3calc snapshot 'kv deepseek-v3' -o numbers.yaml writes one"
        raise InvalidInput([source.problem(source.position(()), what, next=hint)])
    broken: dict[int, list[Problem]] = {}
    while True:
        try:
            file = convert(source, _without(data, broken), GoldenFile)
            break
        except InvalidInput as error:
            rows = [_row_of(problem) for problem in error.problems]
            if None in rows or broken.keys() & set(rows):
                raise  # the file itself is wrong
            for row, problem in zip(rows, error.problems, strict=True):
                broken.setdefault(row or 0, []).append(problem)
    seen: dict[tuple[str, str, str, str], int] = {}
    for index, golden in enumerate(file.goldens):
        if index in broken:
            continue
        fault = _query_fault(golden.query)
        if fault:
            place = source.position(("goldens", index, "query"))
            broken[index] = [source.problem(place, fault)]
            continue
        key = (
            query_text(golden.query),
            golden.quantity,
            golden.column,
            golden.id or (golden.expect if isinstance(golden.expect, str) else ""),
        )
        first = seen.setdefault(key, index)
        if first != index:
            line = source.position(("goldens", first)).line
            broken[index] = [
                source.problem(
                    source.position(("goldens", index)),
                    f"this row is already defined at line {line}",
                    why="only one expectation of a number would be shown",
                )
            ]
    return source, file, broken


_ROW = re.compile(r"goldens\[(\d+)\]")
_PLACEHOLDER = {"query": "none", "quantity": "none", "expect": 0}


def _row_of(problem: Problem) -> int | None:
    found = _ROW.match(problem.path)
    return int(found[1]) if found else None


def _without(data: Any, broken: Collection[int]) -> Any:
    """Return the data with a placeholder for each broken row: the others keep their index."""
    if not broken:
        return data
    rows = [_PLACEHOLDER if index in broken else row for index, row in enumerate(data["goldens"])]
    return {**data, "goldens": rows}


def _query_fault(query: str | dict[str, Any]) -> str:
    """Say what no golden's query may be, whatever it asks."""
    words = query.split() if isinstance(query, str) else []
    if isinstance(query, dict):
        if fault := key_fault(query):
            return fault
        for value in query.values():
            words += map(str, value if isinstance(value, list) else [value])
    if "-" in words:
        return "a golden's query cannot read standard input"
    return ""


def file_rows(path: str) -> Iterator[Row]:
    """Return the rows of a golden file, not yet checked; what cannot be read is broken already.

    Raises
    ------
    InvalidInput
        If the file is no golden file at all.
    """
    return rows_of(*load_goldens(path))


def rows_of(source: Source, file: GoldenFile, broken: dict[int, list[Problem]]) -> Iterator[Row]:
    """Yield the rows of a golden file that was read, not yet checked."""
    for index, golden in enumerate(file.goldens):
        if index not in broken:
            yield Row(source, index, golden)
            continue
        row = Row(source, index, _readable(source, index))
        row.status = "broken"
        row.message = "; ".join(problem_text(problem) for problem in broken[index])
        row.line = broken[index][0].line or 1
        yield row


def check_rows(paths: Iterable[str], only: str | None = None, *, ask: Ask) -> Iterator[Row]:
    """Check the rows of golden files, one after the other.

    A row whose query fails is ``broken``; so is a whole file that cannot be read, as one row.
    ``ask`` answers a query written as on the command line: ``dsv3calc.answer``.

    Raises
    ------
    UsageError
        If ``only`` matches no row.
    """
    matched = False
    for path in golden_files(paths):
        try:
            rows = file_rows(path)
        except InvalidInput as error:
            matched = True
            yield from _broken_file(path, error)
            continue
        answers: dict[str, Answer | Dsv3calcError] = {}
        for row in rows:
            if only is not None and not _matches(row, only):
                continue
            matched = True
            check_row(row, answers, ask)
            yield row
    if not matched:
        raise UsageError(
            f"--only {only!r} matches no row", "a pattern such as 'kv_cache.*' or '*deepseek-v3*'"
        )


def _readable(source: Source, index: int) -> Golden:
    """Return a broken row with what can be read of it, for its name in reports."""
    data: Any = source.data
    row = data["goldens"][index]
    row = row if isinstance(row, dict) else {}
    query = row.get("query")
    return Golden(
        query=query if isinstance(query, str) else "(a query that cannot be read)",
        quantity=str(row.get("quantity", "(no quantity)")),
        expect=0,
    )


def _matches(row: Row, pattern: str) -> bool:
    names = (row.name, row.number, row.golden.quantity, row.query, row.golden.id)
    return any(fnmatchcase(name, pattern) or pattern == name for name in names)


def _broken_file(path: str, error: InvalidInput) -> Iterator[Row]:
    for problem in error.problems:
        golden = Golden(query="(file)", quantity="(file)", expect=0)
        row = Row(Source(path, ""), 0, golden)
        row.status, row.message = "broken", problem_text(problem)
        row.line = problem.line or 1
        yield row


def failure_text(error: Dsv3calcError) -> str:
    """Write why a query failed on one line."""
    if isinstance(error, InvalidInput):
        places = (
            f"{shown_path(problem.file)}:{problem.line or ''}".rstrip(":")
            for problem in error.problems
        )
        return "; ".join(
            f"{place}: {problem_text(problem)}"
            for place, problem in zip(places, error.problems, strict=True)
        )
    return f"{error.message}; {error.hint}" if error.hint else error.message


def problem_text(problem: Problem) -> str:
    """Write a problem on one line, without its place, for the report of a row."""
    words = [problem.what, problem.why, f"valid: {problem.valid}" if problem.valid else ""]
    words.append(f"did you mean '{problem.suggestion}'?" if problem.suggestion else "")
    words.append(f"try: {problem.next}" if problem.next else "")
    return "; ".join(filter(None, words))


def check_row(row: Row, answers: dict[str, Answer | Dsv3calcError], ask: Ask) -> None:
    """Answer a row's query, unless it was answered just before, and judge the number.

    A row that is broken already stays as it is.
    """
    if row.status == "broken":
        return
    text = row.query
    found = answers.get(text)
    if found is None:
        try:
            found = ask(seen_from_here(text, row.file))
        except Dsv3calcError as error:
            found = error
        if len(answers) >= MOST_ANSWERS_KEPT:
            answers.clear()
        answers[text] = found
    try:
        if isinstance(found, Dsv3calcError):
            raise found
        line = _line_of(row.golden, found)
        verdict = judge(row.golden, line.value, line.unit)
    except Dsv3calcError as error:
        row.status = "broken"
        row.message = failure_text(error)
        return
    row.value, row.unit = line.value, line.unit
    row.convention = row.convention or line.convention
    row.wanted, row.difference = verdict.wanted, verdict.difference
    if not verdict.kept:
        row.status = "moved"
        row.made_from = made_from(line)
        if row.golden.made_from:
            recorded = {current_place(place): each for place, each in row.golden.made_from.items()}
            row.changes = explain_change(recorded, row.made_from, found.place_of)
            row.reasons = [reason.text for reason in row.changes]


def _line_of(golden: Golden, answer: Answer) -> Line:
    """Find the quantity that a row is about.

    Raises
    ------
    UsageError
        If the answer has no such column or quantity, or it has another unit.
    """
    columns = {column.id: column for column in answer.columns}
    if golden.column and golden.column not in columns:
        raise UsageError(
            f"there is no column '{golden.column}'; columns: {', '.join(columns)}",
            did_you_mean(golden.column, columns),
        )
    if not golden.column and len(columns) != 1:
        raise UsageError(
            f"the query has {len(columns)} columns", f"add column: one of {', '.join(columns)}"
        )
    column = columns[golden.column] if golden.column else answer.columns[0]
    named = column.ledger.named()
    line = named.get(golden.quantity)
    if line is None:
        raise UsageError(
            f"the answer has no quantity '{golden.quantity}'",
            did_you_mean(golden.quantity, named),
        )
    if golden.unit and golden.unit != line.unit:
        raise UsageError(
            f"{golden.quantity} is in {line.unit}, not in {golden.unit}", f"unit: {line.unit}"
        )
    return line
