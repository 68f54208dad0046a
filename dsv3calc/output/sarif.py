"""SARIF 2.1.0 of a check, for code scanning: a result at the line of every failed row."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

from dsv3calc import __version__
from dsv3calc.output.check_report import (
    WHOLE_FILE,
    details,
    failed_rows,
    headline,
    repository_path,
    row_name,
    start_line,
    verdict_counts,
)
from dsv3calc.reading.escaping import escape, json_document, sarif_message

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
MOST_RESULTS = 5_000
"""Results of a run; code scanning shows no more."""

_RULES = (
    (
        "number-moved",
        "NumberMoved",
        "A number changed",
        "A number is not what its golden row expects, or is outside its budget.",
        (
            "Look at the reasons in the message: an input or a formula changed, or the number is "
            "outside its budget. If a new number is meant, run dsv3calc check --update FILE and "
            "commit the change. A budget is never updated: edit its bound. Otherwise put back what "
            "changed the number."
        ),
    ),
    (
        "row-broken",
        "RowBroken",
        "A golden row cannot be checked",
        "The query of a golden row has no answer, or its file cannot be read: nothing was checked.",
        (
            "Correct the query, the quantity or the file as the message says. A row that is no "
            "longer wanted can be deleted."
        ),
    ),
)


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:  # noqa: ARG001 - one interface
    """Return the failed rows of a check as one SARIF log, in ASCII whatever the rows hold."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(answer)]}
    return json_document(log, indent=2, ascii_only=True) + "\n"


def _run(answer: Answer) -> dict[str, Any]:
    failed = failed_rows(answer)
    left_out = max(0, len(failed) - MOST_RESULTS)
    remarks = [("warning", escape(text)) for text in answer.warnings]
    remarks += [("note", escape(text)) for text in answer.notes]
    if left_out:
        text = f"{left_out:,} of {len(failed):,} failed rows are left out: only the first "
        remarks.append(("warning", text + f"{MOST_RESULTS:,} are listed"))
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if remarks:
        invocation["toolExecutionNotifications"] = [
            {"level": level, "message": {"text": text}} for level, text in remarks
        ]
    return {
        "tool": {
            "driver": {
                "name": "dsv3calc",
                "version": __version__,
                "rules": [_rule(*texts) for texts in _RULES],
            }
        },
        "invocations": [invocation],
        "results": [_result(row) for row in failed[:MOST_RESULTS]],
        "properties": {"summary": verdict_counts(answer), "resultsLeftOut": left_out},
    }


def _rule(identifier: str, name: str, short: str, full: str, text: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "name": name,
        "shortDescription": {"text": short},
        "fullDescription": {"text": full},
        "help": {"text": text},
        "defaultConfiguration": {"level": "error"},
    }


def _result(row: dict[str, Any]) -> dict[str, Any]:
    moved = row["status"] == "moved"
    return {
        "ruleId": "number-moved" if moved else "row-broken",
        "ruleIndex": 0 if moved else 1,
        "level": "error",
        "message": {"text": sarif_message("\n".join([headline(row), *details(row)]))},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _place(repository_path(row["file"])),
                    "region": {"startLine": start_line(row)},
                }
            }
        ],
        "partialFingerprints": {"goldenRow/v1": _fingerprint(row)},
    }


def _place(path: str) -> dict[str, str]:
    """Return where a file is: from the top of the repository, or by its absolute path."""
    if os.path.isabs(path):
        return {"uri": Path(path).as_uri()}
    return {"uri": quote_from_bytes(os.fsencode(path)), "uriBaseId": "%SRCROOT%"}


def _fingerprint(row: dict[str, Any]) -> str:
    """Return what a row is known by in later runs: it may move in its file, or fail otherwise.

    Not ``primaryLocationLineHash``: the uploader computes that and complains about another's.
    """
    parts = [escape(repository_path(row["file"])), row_name(row)]
    if row["query"] == WHOLE_FILE:  # only the problem tells it from others of the file
        parts.append(headline(row).partition(" error: ")[2])
    return sha256("\0".join(parts).encode()).hexdigest()
