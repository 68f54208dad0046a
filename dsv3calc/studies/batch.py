"""Answer ``eval``: many queries in one process, one on each line."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.diagnostics import Problem
from dsv3calc.errors import Dsv3calcError, InvalidInput
from dsv3calc.source import MOST_PROBLEMS, read_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.check import Ask


LONGEST_LINE = 1000
"""Characters of a wrong line that are shown around its fault."""


def query_lines(path: str) -> Iterator[tuple[int, str, str]]:
    """Yield the number, the query and the whole text of each line that holds one.

    Raises
    ------
    InvalidInput
        If the file cannot be read or holds no query.
    """
    source = read_source(path)
    empty = True
    for number, line in enumerate(source.text.splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            empty = False
            yield number, text, line
    if empty:
        raise InvalidInput(
            [Problem(source.name, 1, None, "the file holds no query", next="params deepseek-v3")]
        )


def answer_batch(path: str, *, ask: Ask) -> list[Answer]:
    """Answer every line of a file; ``ask`` answers one: ``dsv3calc.answer``.

    Raises
    ------
    InvalidInput
        With a problem for each line that cannot be answered; then none is.
    """
    answers = []
    problems: list[Problem] = []
    for number, text, line in query_lines(path):
        if len(problems) >= MOST_PROBLEMS:
            break
        try:
            found = ask(text)
        except InvalidInput as error:
            problems += [
                Problem(
                    path,
                    number,
                    None,
                    f"in this query: {problem.what}",
                    source_line=line[:LONGEST_LINE],
                    why=f"{problem.file}:{problem.line or ''} {problem.why}".rstrip(": "),
                )
                for problem in error.problems
            ]
        except Dsv3calcError as error:
            problems.append(
                Problem(
                    path,
                    number,
                    None,
                    error.message,
                    next=error.hint,
                    source_line=line[:LONGEST_LINE],
                )
            )
        else:
            found.query["line"] = number
            found.asked = text
            answers.append(found)
    if problems:
        raise InvalidInput(problems)
    return answers
