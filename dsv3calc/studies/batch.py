"""Answer ``eval``: many queries in one process, one on each line, in constant memory."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import Dsv3calcError, InvalidInput, UsageError
from dsv3calc.queries.command_line import key_fault, query_text
from dsv3calc.reading.diagnostics import Problem
from dsv3calc.reading.source import Source, read_lines
from dsv3calc.reading.text import MOST_PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.goldens.verdict import Ask


LONGEST_LINE = 1000
"""Characters of a wrong line that are shown around its fault."""

MOST_IN_A_ROW = MOST_PROBLEMS
"""Wrong lines without an answer between them after which the rest is not read."""


class _Wrong:
    """What is wrong with a file of queries: the first problems, and how many lines have any."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self.lines = 0
        self.in_a_row = 0

    def add(self, problems: list[Problem]) -> None:
        """Note the problems of a line."""
        self.lines += 1
        self.in_a_row += 1
        if self.lines <= MOST_PROBLEMS:
            self.problems += problems

    def error(self, number: int) -> InvalidInput:
        """Return the error to end with, after so many lines were read."""
        problems = self.problems
        if self.in_a_row >= MOST_IN_A_ROW:
            what = f"{self.in_a_row} lines in a row are wrong: the rest is not read"
            problems = [*problems, Problem(self.name, number, None, what)]
        elif self.lines > MOST_PROBLEMS:
            what = f"{self.lines - MOST_PROBLEMS:,} more lines are wrong"
            problems = [*problems, Problem(self.name, None, None, what)]
        return InvalidInput(problems)


def answer_batch(path: str, *, ask: Ask) -> Iterator[Answer]:
    """Yield the answer to every line of a file; ``ask`` answers one: ``dsv3calc.answer``.

    Raises
    ------
    InvalidInput
        After all other answers, with the problems of the lines that cannot be answered; or at once
        if the file cannot be read.
    """
    name = "<stdin>" if path == "-" else path
    wrong = _Wrong(name)
    number = answered = 0
    for number, content in enumerate(read_lines(path), 1):
        if not _holds_query(content):
            continue
        found = _answered(name, number, content, ask)
        if isinstance(found, list):
            wrong.add(found)
            if wrong.in_a_row >= MOST_IN_A_ROW:
                break
            continue
        wrong.in_a_row = 0
        answered += 1
        yield found
    if wrong.problems:
        raise wrong.error(number)
    if not answered:
        raise InvalidInput(
            [Problem(name, 1, None, "the file holds no query", next="params deepseek-v3")]
        )


def _holds_query(content: bytes) -> bool:
    text = content.strip()
    return bool(text) and not text.startswith(b"#")


def _query_in(name: str, text: str) -> str:
    """Return the query of a line, which may state it by keys: a mapping in JSON.

    Raises
    ------
    UsageError, InvalidInput
        If it starts as a mapping and is none.
    """
    if not text.startswith("{"):
        return text
    query: Any = Source(name, text, "json").data
    if fault := key_fault(query):
        raise UsageError(fault)
    return query_text(query)


def _answered(name: str, number: int, content: bytes, ask: Ask) -> Answer | list[Problem]:
    """Return the answer to a line, or its problems."""
    try:
        text = content.decode("utf-8").removeprefix("\ufeff").strip()
    except UnicodeDecodeError as error:
        what = f"not UTF-8: byte {error.start} of the line is 0x{content[error.start]:02x}"
        return [Problem(name, number, None, what, next="save it as UTF-8")]
    try:
        found = ask(_query_in(name, text))
    except InvalidInput as error:
        return [
            Problem(
                name,
                number,
                None,
                f"in this query: {problem.what}",
                source_line=text[:LONGEST_LINE],
                why=f"{problem.file}:{problem.line or ''} {problem.why}".rstrip(": "),
            )
            for problem in error.problems
        ]
    except Dsv3calcError as error:
        return [
            Problem(
                name, number, None, error.message,
                next=error.hint, source_line=text[:LONGEST_LINE],
            )
        ]  # fmt: skip
    found.query["line"] = number
    found.asked = text
    return found
