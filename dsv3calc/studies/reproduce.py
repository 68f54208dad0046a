"""Answer ``reproduce``: the figures that papers print, each with what its closed form gives."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from dsv3calc.diagnostics import quote, suggest
from dsv3calc.errors import UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.ledger import Ledger, given, total
from dsv3calc.locate import packaged_presets
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.check import check_row, load_goldens, rows_of
from dsv3calc.studies.published import as_published, relative_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.errors import Dsv3calcError
    from dsv3calc.ledger import Line
    from dsv3calc.schema.golden import Golden, Stated
    from dsv3calc.studies.check import Ask, Row

Group = Literal[
    "exact", "within", "explained", "failing", "measured", "settings", "not_covered"
]  # fmt: skip
CLOSED_FORM: tuple[Group, ...] = ("exact", "within", "explained", "failing")
OTHERS: tuple[Group, ...] = ("measured", "settings", "not_covered")
_KINDS: dict[str, Group] = {
    "measured": "measured",
    "setting": "settings",
    "not-covered": "not_covered",
}
PERCENT = 100


def paper_files() -> dict[str, str]:
    """Return the shipped papers: name -> file of goldens."""
    folder = os.path.join(packaged_presets(), "goldens", "papers")
    return {
        file.removesuffix(".yaml"): os.path.join(folder, file)
        for file in sorted(os.listdir(folder))
        if file.endswith(".yaml")
    }


def answer_reproduce(papers: Sequence[str], *, only_failing: bool, ask: Ask) -> Answer:
    """Compute what papers print, and compare.

    The answer's status is 1 if a figure that should follow does not, or one does that should not.
    ``ask`` answers a query written as on the command line: ``dsv3calc.answer``.

    Raises
    ------
    UsageError
        If there is no such paper.
    """
    files = paper_files()
    for name in papers:
        if name not in files:
            close = suggest(name, files)
            raise UsageError(
                f"there is no paper {quote(name)}",
                (f"did you mean '{close}'? " if close else "") + f"papers: {', '.join(files)}",
            )
    chosen = list(dict.fromkeys(papers)) or list(files)
    answer = Answer("reproduce", {"papers": chosen, "only_failing": only_failing}, "reproduce")
    answer.query["titles"] = titles = {}
    counts: dict[str, dict[Group, int]] = {}
    for name in chosen:
        titles[name], rows = paper_rows(name, files[name], ask)
        counts[name] = dict.fromkeys((*CLOSED_FORM, *OTHERS), 0)
        for row in rows:
            counts[name][row["group"]] += 1
        answer.rows += [row for row in rows if not only_failing or row["group"] == "failing"]
    answer.headings = list(answer.rows[0]) if answer.rows else ["paper", "id", "verdict"]
    lines = count_lines(counts)
    answer.columns.append(Column("reproduce", "published figures", Ledger("reproduce", lines)))
    if any(count["failing"] for count in counts.values()):
        answer.status = ExitStatus.CHECK_FAILED
    return answer


def count_lines(counts: dict[str, dict[Group, int]]) -> list[Line]:
    """Return how many figures have which verdict, as lines made of the papers' counts."""
    lines = {
        group: total(
            f"reproduce.{group}",
            [given(f"papers.{name}.{group}", count[group], "1") for name, count in counts.items()],
        )
        for group in (*CLOSED_FORM, *OTHERS)
    }
    whole = total("reproduce.closed_form_rows", [lines[group] for group in CLOSED_FORM])
    return [whole, *(lines[group] for group in OTHERS)]


def paper_rows(name: str, path: str, ask: Ask) -> tuple[str, list[dict[str, Any]]]:
    """Check the figures of a paper; return its title and a row of data for each."""
    source, file, broken = load_goldens(path)
    answers: dict[str, Answer | Dsv3calcError] = {}
    rows = []
    for row in rows_of(source, file, broken):
        check_row(row, answers, ask)
        rows.append(_checked(name, row))
    return file.title, rows + [_stated(name, each) for each in file.stated]


def verdict_of(row: Row) -> tuple[Group, str]:
    """Return the group that a checked row counts in, and the verdict in words."""
    golden = row.golden
    if row.status != "kept":
        return "failing", "cannot be asked" if row.status == "broken" else "FAILS"
    if not golden.reproduces:
        return "explained", "does not follow"
    return _promise(golden)


def _promise(golden: Golden) -> tuple[Group, str]:
    """Return what a row promises of its figure."""
    tolerance = golden.tolerance
    if isinstance(golden.expect, str):
        return "exact", "as stated"
    if tolerance is None or tolerance == "exact":
        return "exact", "exact"
    if tolerance.rounds_to is not None:
        return "exact", "rounds to it"
    if tolerance.truncates_to is not None:
        return "exact", "cut off to it"
    share = tolerance.rel
    if share is None:
        share = (tolerance.abs or 0) / abs(golden.expect) if golden.expect else 0
    return "within", f"within {PERCENT * share:.3g} %"


def _checked(paper: str, row: Row) -> dict[str, Any]:
    golden = row.golden
    group, verdict = verdict_of(row)
    published = golden.published or f"{golden.expect} {golden.unit}".removesuffix(" 1").rstrip()
    known = row.value is not None
    return {
        "paper": paper,
        "id": golden.id,
        "what": golden.what or row.number,
        "published": published,
        "ours": as_published(published, golden.expect, row.value, row.unit) if known else None,
        "relative_error": relative_error(golden.expect, row.value) if known else None,
        "convention": row.convention or None,
        "verdict": verdict,
        "group": group,
        "source": golden.source or None,
        "why": row.message or golden.why or golden.note or None,
        "expected": golden.expect,
        "value": row.value,
        "unit": row.unit or None,
        "query": row.query,
        "quantity": golden.quantity,
        "column": golden.column or None,
    }


def _stated(paper: str, figure: Stated) -> dict[str, Any]:
    return {
        "paper": paper,
        "id": figure.id,
        "what": figure.what,
        "published": figure.published,
        "ours": None,
        "relative_error": None,
        "convention": None,
        "verdict": figure.kind.replace("-", " "),
        "group": _KINDS[figure.kind],
        "source": figure.source,
        "why": figure.why or None,
        "expected": None,
        "value": None,
        "unit": None,
        "query": None,
        "quantity": None,
        "column": None,
    }
