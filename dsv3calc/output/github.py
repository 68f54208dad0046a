"""GitHub Actions: an annotation at the line of every failed row, and a table for the step summary.

A golden file may come from a stranger's pull request. A workflow command begins at the start of a
line and its properties end at a colon or comma, so a text has neither line breaks nor, in a
property, these two; in the summary no character of it means anything to Markdown.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from dsv3calc.output.check_report import (
    Cause,
    amount,
    causes_of,
    details,
    expectation,
    failed_rows,
    headline,
    message_lines,
    outcome,
    repository_path,
    row_name,
    short_name,
    start_line,
    verdict_counts,
)
from dsv3calc.reading.escaping import escape, github_command, inert, markdown

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer

LONGEST_TITLE = 200  # characters; GitHub refuses titles beyond 255
LONGEST_CELL = 400  # characters of a cell of the summary
LARGEST_SUMMARY = 1_000_000  # bytes; GitHub drops the whole summary of a step beyond 1 MiB
MOST_REASONS = 5  # of one row in the summary
MOST_LISTED = 10  # rows that an annotation of their cause names


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:  # noqa: ARG001 - one interface
    """Return workflow commands, then the counts as a notice.

    There is an error for each failed row; where several changed for one reason, one for the first
    of them. Another one stands at the line that changed.
    """
    commands = []
    for cause in causes_of(failed_rows(answer)):
        commands.append(_error(cause.rows[0], len(cause.rows) - 1))
        if cause.place:
            commands.append(_at_cause(cause))
    commands += [github_command("warning", text) for text in answer.warnings]
    commands += [github_command("notice", text) for text in answer.notes]
    commands.append(github_command("notice", verdict_counts(answer), title="dsv3calc check"))
    return "".join(f"{command}\n" for command in commands)


def after(answer: Answer) -> None:
    """Append the table to the step summary, where the runner has one.

    A summary that cannot be written does not change what the check found.
    """
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8", newline="\n") as file:
            written = file.tell()
            file.write(("\n" if written else "") + summary(answer, LARGEST_SUMMARY - written))
    except OSError as error:
        message = f"warning: no step summary: {path}: {error.strerror}"
        print(inert(escape(message)), file=sys.stderr)


def summary(answer: Answer, largest: int = LARGEST_SUMMARY) -> str:
    """Return the failed rows as a Markdown table of at most ``largest`` bytes, about."""
    failed = failed_rows(answer)
    text = f"### dsv3calc check\n\n{verdict_counts(answer)}\n\n"
    if not failed:
        return text
    lines = [
        "| where | number | expected | now | difference | why |",
        "| :-- | :-- | --: | --: | --: | :-- |",
    ]
    size = len(text) + sum(map(len, lines))
    for row in failed:
        line = _table_row(row)
        size += len(line.encode()) + 1
        if size > largest:
            break
        lines.append(line)
    text += "\n".join(lines) + "\n\n"
    left_out = len(failed) - (len(lines) - 2)
    if left_out:
        text += f"{left_out:,} more failed: the log of the step lists them all.\n\n"
    return text


def _at_cause(cause: Cause) -> str:
    """Return the annotation of the line that changed: what it moved."""
    file, _, line = cause.place.rpartition(":")
    named = not line.isdecimal()
    count = len(cause.rows)
    lines = [f"{cause.words}", *(f"moves {row_name(row)}" for row in cause.rows[:MOST_LISTED])]
    lines += [f"and {count - MOST_LISTED:,} more"] if count > MOST_LISTED else []
    return github_command(
        "error",
        "\n".join(lines),
        file=repository_path(cause.place if named else file),
        line="1" if named else line,
        title=f"{count:,} number{'' if count == 1 else 's'} changed",
    )


def _error(row: dict[str, Any], more: int = 0) -> str:
    word = {"error": "cannot be checked"}.get(outcome(row), outcome(row))
    name = short_name(row)
    longest = LONGEST_TITLE - len(word) - 1
    others = [f"and {more:,} other row{'' if more == 1 else 's'} changed with it"] if more else []
    return github_command(
        "error",
        "\n".join([headline(row), *details(row), *others]),
        file=repository_path(row["file"]),
        line=str(start_line(row)),
        title=f"{_shortened(name, longest)} {word}",
    )


def _table_row(row: dict[str, Any]) -> str:
    moved = row["status"] == "moved"
    why = [line.strip() for line in message_lines(row) if line.strip() != "^"]
    more = len(why) - MOST_REASONS
    cells = [
        f"{escape(repository_path(row['file']))}:{start_line(row)}",
        row_name(row),
        expectation(row) if moved else "",
        amount(row["value"], row["unit"]) if moved else "",
        escape(row["difference"] or ""),
        "; ".join(why[:MOST_REASONS]) + (f"; and {more} more" if more > 0 else ""),
    ]
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return markdown(_shortened(text, LONGEST_CELL))


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
