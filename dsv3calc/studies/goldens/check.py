"""Answer ``check``: the rows of golden files with their verdicts, and the exit status they mean."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shlex
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import OutputError, UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.reading.files import shown_path
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.goldens.verdict import check_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.studies.goldens.verdict import Ask, Row


def answer_check(
    paths: Sequence[str],
    *,
    only: str | None,
    update: bool,
    exit_zero: bool,
    ask: Ask,
    everything: bool = False,
) -> Answer:
    """Check golden files.

    The answer's status: a broken row (3) beats a moved one (1), and ``exit_zero`` hides only the
    latter. An update that is refused (2) or cannot be written (74) is a warning beside the report.
    With ``everything`` a table lists each row that moved, not the causes.

    Raises
    ------
    UsageError
        If ``only`` matches nothing.
    """
    rows = list(check_rows(paths, only, ask=ask))
    broken = [row for row in rows if row.status == "broken"]
    moved = [row for row in rows if row.status == "moved"]
    answer = Answer("check", {"files": list(paths), "checked": len(rows)}, "check")
    answer.query |= {"moved": len(moved), "broken": len(broken)}
    if only is not None:
        answer.query["only"] = only
    if everything:
        answer.query["all"] = True
    answer.rows = [row_data(row) for row in rows]
    if broken:
        answer.status = ExitStatus.INVALID_INPUT
    elif moved and not exit_zero:
        answer.status = ExitStatus.CHECK_FAILED
    if update:
        _update(answer, rows)
    elif any(row.status == "moved" and not isinstance(row.golden.expect, str) for row in rows):
        words = shlex.join(["dsv3calc", "check", *paths, "--update"])
        answer.causes.append(f"accept the new values with: {words}")
        answer.notes += answer.causes
    return answer


def _update(answer: Answer, rows: list[Row]) -> None:
    from dsv3calc.studies.goldens.snapshot import update_file

    for file, group in groupby(rows, key=lambda row: row.file):
        try:
            count = update_file(file, list(group))
        except (UsageError, OutputError) as error:
            # the report of what moved is worth more than a bare refusal
            answer.causes.append(f"not updated: {error.message}; {error.hint}")
            answer.warn(answer.causes[-1])
            if answer.status is not ExitStatus.INVALID_INPUT:
                answer.status = error.exit_status
            continue
        if count:
            answer.notes.append(
                f"{shown_path(file)}: {count} expectation{'s' if count > 1 else ''} updated: "
                "look at the change before you commit it"
            )


def row_data(row: Row) -> dict[str, Any]:
    """Return a row for JSON, CSV and tables; places are looked up for failures alone."""
    failed = row.status != "kept"
    return {
        "file": row.file,
        "line": row.locate() if failed else None,
        "status": row.status,
        "quantity": row.golden.quantity,
        "column": row.golden.column or None,
        "query": row.query,
        "expected": row.golden.expect,
        "value": row.value,
        "unit": row.unit or None,
        "difference": row.difference or None,
        "tolerance": row.wanted or None,
        "why": row.reasons or ([row.message] if row.message else []),
        "changes": list(dict.fromkeys(each.brief for each in row.changes)),
        "changed_at": list(dict.fromkeys(each.place for each in row.changes if each.place)),
        "source": row.golden.source or None,
        "note": row.golden.note or row.golden.why or None,
        "id": row.golden.id or None,
    }
