"""JUnit XML of a check, as GitLab, Jenkins and others read it: a suite per file, a case per row.

The document holds no time stamp and no duration other than 0: the same rows give the same bytes.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from dsv3calc.output.check_report import (
    amount,
    details,
    expectation,
    headline,
    repository_path,
    row_name,
    start_line,
    verdict_counts,
)
from dsv3calc.reading.escaping import escape, xml_document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer

UNMEASURED = "0"
"""The time of every case: readers fail on a report without one."""


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:  # noqa: ARG001 - one interface
    """Return the rows of a check as one JUnit document, in ASCII whatever the rows hold."""
    root = ET.Element("testsuites", {"name": f"dsv3calc check: {verdict_counts(answer)}"})
    _count(root, answer.rows)
    for file, rows in groupby(answer.rows, key=lambda row: row["file"]):
        _add_suite(root, escape(repository_path(file)), list(rows))
    remarks = [f"warning: {escape(text)}" for text in answer.warnings]
    remarks += [f"note: {escape(text)}" for text in answer.notes]
    if remarks and len(root):
        ET.SubElement(root[0], "system-out").text = "\n".join(remarks)
    ET.indent(root)
    return xml_document(root)


def _count(element: ET.Element, rows: Iterable[dict[str, Any]]) -> None:
    statuses = [row["status"] for row in rows]
    element.set("tests", str(len(statuses)))
    element.set("failures", str(statuses.count("moved")))
    element.set("errors", str(statuses.count("broken")))
    element.set("time", UNMEASURED)


def _add_suite(root: ET.Element, file: str, rows: list[dict[str, Any]]) -> None:
    suite = ET.SubElement(root, "testsuite", {"name": file})
    _count(suite, rows)
    suite.set("skipped", "0")
    names: dict[str, int] = {}
    for row in rows:
        name = row_name(row)
        names[name] = names.get(name, 0) + 1
        if names[name] > 1:  # readers drop a second case of one name
            name += f" ({names[name]})"
        case = ET.SubElement(suite, "testcase", {"classname": file, "name": name, "file": file})
        case.set("time", UNMEASURED)
        if row["status"] != "kept":
            case.set("line", str(start_line(row)))
            _add_failure(case, file, row)


def _add_failure(case: ET.Element, file: str, row: dict[str, Any]) -> None:
    moved = row["status"] == "moved"
    failure = ET.SubElement(case, "failure" if moved else "error")
    failure.set("message", headline(row))
    failure.set("type", row["status"])
    lines = [f"{file}:{start_line(row)}"]
    if moved:
        if not isinstance(row["expected"], str):
            lines.append(f"expected: {amount(row['expected'], row['unit'])}")
        lines.append(f"now: {amount(row['value'], row['unit'])}")
        lines.append(f"tolerance: {expectation(row)}")
    else:
        lines.append(headline(row))
    failure.text = "\n".join([*lines, *details(row)])
