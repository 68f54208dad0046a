"""Tables of ``search``: the best layouts side by side, and what became of the others."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import count, takewhile
from typing import TYPE_CHECKING

from dsv3calc.output.view import Cell, Table, View, show, show_count
from dsv3calc.studies.search.answer import words_of

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

_AXES = {
    "gpus": "GPUs",
    "tp": "tp",
    "cp": "cp",
    "pp": "pp",
    "dp": "dp",
    "ep": "ep",
    "etp": "etp",
    "dcp": "dcp",
    "redundant_experts": "redundant experts",
    "batch": "batch of a replica",
    "prefill_gpus": "GPUs that prefill",
    "prefill_tp": "  tp of prefill",
    "prefill_dp": "  dp of prefill",
    "prefill_ep": "  ep of prefill",
    "prefill_etp": "  etp of prefill",
    "micro_batch": "micro-batch",
    "schedule": "schedule",
    "virtual_pipeline": "chunks a rank",
    "sequence_parallel": "sequence parallel",
    "layer_split": "layer split",
    "recompute": "recompute",
    "zero": "ZeRO",
}
_ALWAYS = ("gpus", "tp", "pp", "dp", "schedule", "batch")
_PLAIN = {0, 1, "none", "even"}
"""Values of an axis that are not shown where all have them."""

_COUNTS = (
    ("search.space", "combinations"),
    ("search.candidates", "layouts that pass all rules"),
    ("search.refused.memory", "do not fit"),
    ("search.excess", "  median excess"),
    ("search.refused.results", "do not satisfy --where"),
    ("search.refused.slo", "do not meet --slo"),
    ("search.fitting", "evaluated, and they fit"),
    ("search.pruned", "skipped: cannot be among the best"),
)


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables: of the best layouts, or of one number of GPUs beside another."""
    query = answer.query
    if "why" in query:
        return _why(answer, exact=exact)
    words = words_of(query["phase"])
    objective = ", then ".join(words[name] for name in query["objective"].split(","))
    served = query["phase"] == "serve"
    use = "layouts for serving" if served else "layouts for training"
    tokens = query["context" if served else "sequence"]
    heading = [
        f"{answer.columns[0].title} on {query['hardware']}: {use}",
        f"sequences of {tokens:,} tokens; by {objective}",
    ]
    if len(answer.columns) > 1:
        return View(heading, [_scaling(answer, exact=exact)])
    named = answer.columns[0].ledger.named()
    return View(heading, [_best(named, words, exact=exact), *_counts(named, exact=exact)])


def _numbers(named: dict[str, Line]) -> list[int]:
    return list(takewhile(lambda number: f"search.best.{number}.gpus" in named, count(1)))


def _cell(line: Line | None, *, exact: bool) -> str:
    if line is None:
        return "-"
    if isinstance(line.value, str):
        return Cell(line.value, line)
    return show_count(line) if line.unit == "1" else show(line, exact=exact)


def _best(named: dict[str, Line], results: dict[str, str], *, exact: bool) -> Table:
    numbers = _numbers(named)
    rows = []
    for axis, words in _AXES.items():
        cells = [named.get(f"search.best.{number}.{axis}") for number in numbers]
        values = {each.value for each in cells if each is not None}
        if not any(cells):
            continue
        if axis in _ALWAYS or len(values) > 1 or not values.issubset(_PLAIN):
            rows.append([words, *(_cell(each, exact=exact) for each in cells)])
    for name, words in results.items():
        cells = [named.get(f"search.best.{number}.{name}") for number in numbers]
        if any(cells):
            rows.append([words, *(_cell(each, exact=exact) for each in cells)])
    return Table("", ["best layouts", *map(str, numbers)], rows)


def _counts(named: dict[str, Line], *, exact: bool) -> list[Table]:
    rows = [[words, _cell(named[name], exact=exact)] for name, words in _COUNTS if name in named]
    refused = [
        [line.convention, _cell(line, exact=exact)]
        for line in named.values()
        if line.tags.quantity == "refused_by_rule"
    ]
    tables = [Table("", ["layouts", ""], rows)]
    return [*tables, Table("", ["refused by the rule", ""], refused)] if refused else tables


def _scaling(answer: Answer, *, exact: bool) -> Table:
    shown = [
        ("GPUs", "gpus"),
        ("tp", "tp"),
        ("pp", "pp"),
        ("dp", "dp"),
        ("ep", "ep"),
        ("dcp", "dcp"),
        ("batch", "batch"),
        ("schedule", "schedule"),
        ("recompute", "recompute"),
        ("ZeRO", "zero"),
        ("memory", "memory"),
        ("step", "step_time"),
        ("TPOT", "tpot"),
        ("tokens/s of a GPU", "tokens_per_second_per_gpu"),
    ]
    every = [column.ledger.named() for column in answer.columns]
    present = [
        (words, name)
        for words, name in shown
        if any(f"search.best.1.{name}" in named for named in every)
    ]
    rows = [
        [_cell(named.get(f"search.best.1.{name}"), exact=exact) for _, name in present]
        for named in every
    ]
    return Table("best of each number of GPUs", [words for words, _ in present], rows)


def _why(answer: Answer, *, exact: bool) -> View:
    named, query = answer.columns[0].ledger.named(), answer.query
    rows = [
        [words, _cell(named[f"search.why.{name}"], exact=exact)]
        for name, words in words_of(query["phase"]).items()
        if f"search.why.{name}" in named
    ]
    reasons = [[reason, ""] for reason in answer.query["reasons"]]
    verdict = "refused:" if reasons else "it passes all rules and fits"
    tables = [Table("", [verdict, ""], reasons)]
    tables += [Table("", ["by itself", ""], rows)] if rows else []
    return View([f"{answer.columns[0].title}: {answer.query['why']}"], tables)
