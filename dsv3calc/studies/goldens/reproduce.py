"""Answer ``reproduce``: the figures that papers print, each with what its closed form gives."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from dsv3calc.catalogue.search_path import packaged_presets
from dsv3calc.exit_status import ExitStatus
from dsv3calc.ledger.line import Ledger, given, total
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.schema.golden import KINDS
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.checked import check_names
from dsv3calc.studies.goldens.as_printed import as_published, relative_error
from dsv3calc.studies.goldens.verdict import check_row, load_goldens, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.errors import Dsv3calcError
    from dsv3calc.ledger.line import Line
    from dsv3calc.schema.golden import Golden, Stated
    from dsv3calc.studies.goldens.verdict import Ask, Row

    Tables = dict[str, list[dict[str, Any]]]

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
    check_names(papers, files, "there is no paper {}", "papers")
    chosen = list(dict.fromkeys(papers)) or list(files)
    answer = Answer("reproduce", {"papers": chosen, "only_failing": only_failing}, "reproduce")
    answer.query["titles"] = titles = {}
    tables: Tables = {}
    for name in chosen:
        titles[name], tables[name] = paper_rows(name, files[name], ask)
    answer.rows = [
        row
        for rows in tables.values()
        for row in rows
        if not only_failing or row["group"] == "failing"
    ]
    answer.headings = list(answer.rows[0]) if answer.rows else ["paper", "id", "verdict"]
    ledger = Ledger("reproduce", count_lines(tables))
    answer.columns.append(Column("reproduce", "published figures", ledger))
    if ledger["reproduce.failing"]:
        answer.status = ExitStatus.CHECK_FAILED
    return answer


def count_lines(tables: Tables) -> list[Line]:
    """Count the papers' rows by verdict and by kind, and the derived figures, each once."""
    groups = {group: _counted(tables, group, "group", group) for group in (*CLOSED_FORM, *OTHERS)}
    once = derived_figures(tables)
    derived = [_counted(once, f"derived.{group}", "group", group) for group in CLOSED_FORM]
    return [
        total("reproduce.closed_form_rows", [groups[group] for group in CLOSED_FORM]),
        *(groups[group] for group in OTHERS),
        *(_counted(tables, f"{kind}_rows", "kind", kind) for kind in KINDS),
        total("reproduce.derived_figures", derived),
    ]


def _counted(tables: Tables, name: str, key: str, value: str) -> Line:
    parts = [
        given(f"papers.{paper}.{name}", sum(row[key] == value for row in rows), "1")
        for paper, rows in tables.items()
    ]
    return total(f"reproduce.{name}", parts)


def derived_figures(tables: Tables) -> Tables:
    """Return the derived rows of each paper, without those of a figure that was met before."""
    seen = set()
    found: Tables = {}
    for paper, rows in tables.items():
        found[paper] = []
        for row in rows:
            figure = row["repeats"] or row["id"] or row["what"]
            if row["kind"] == "derived" and figure not in seen:
                seen.add(figure)
                found[paper].append(row)
    return found


def paper_rows(name: str, path: str, ask: Ask) -> tuple[str, list[dict[str, Any]]]:
    """Check the figures of a paper; return its title and a row of data for each."""
    source, file, broken = load_goldens(path)
    answers: dict[str, Answer | Dsv3calcError] = {}
    rows = []
    for row in rows_of(source, file, broken):
        if row.golden.kind is None and row.status != "broken":
            row.status = "broken"
            row.message = f"kind: a paper's row has one of {', '.join(KINDS)}"
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
    if golden.converted:
        return "exact", "converted"
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
    ours = None
    if golden.converted and known:
        ours = format_quantity(row.value, row.unit or "1", exact=row.value == golden.expect)
    elif known:
        ours = as_published(published, golden.expect, row.value, row.unit)
    return {
        "paper": paper,
        "id": golden.id,
        "what": golden.what or row.number,
        "published": published,
        "ours": ours,
        "relative_error": (
            relative_error(golden.expect, row.value) if known and not golden.converted else None
        ),
        "convention": row.convention or None,
        "kind": golden.kind,
        "verdict": verdict,
        "group": group,
        "repeats": golden.repeats or None,
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
        "kind": None,
        "verdict": figure.kind.replace("-", " "),
        "group": _KINDS[figure.kind],
        "repeats": None,
        "source": figure.source,
        "why": figure.why or None,
        "expected": None,
        "value": None,
        "unit": None,
        "query": None,
        "quantity": None,
        "column": None,
    }
