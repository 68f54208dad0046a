"""Tables of ``train``: the three times of a step, its phases, the share of the peak, the cost."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View, show
from dsv3calc.output.views.time import SECONDS

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

PHASES = {
    "1f": "forward",
    "1b": "gradients of inputs, with what is recomputed",
    "1w": "gradients of weights",
    "bubble": "bubble of the pipeline",
    "optimizer": "optimizer",
    "data_parallel": "reductions of gradients that are not hidden",
    "pipeline": "sends between stages that are not hidden",
}
_FIGURES = (
    ("train.tokens_per_second", "tokens/s"),
    ("train.mfu.causal", "MFU, causal attention"),
    ("train.mfu.full", "MFU, full attention"),
    ("train.hfu", "HFU, with recomputed FLOPs"),
    ("train.gpu_hours", "GPU-hours of the run"),
    ("train.dollars", "price of the run"),
)


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    column = answer.columns[0]
    named = column.ledger.named()
    times = [what for what in SECONDS if f"train.step.{what}" in named]
    rows = [[what, show(named[f"train.step.{what}"], exact=exact)] for what in times]
    if "train.step.p10" in named:
        ends = (show(named[f"train.step.{end}"], exact=exact) for end in ("p10", "p90"))
        rows.append(["  p10 to p90 of measurements", " to ".join(ends)])
    phases = [
        [words, show(named[f"train.phase.{name}"], exact=exact)]
        for name, words in PHASES.items()
        if f"train.phase.{name}" in named
    ]
    figures = [[words, show(named[name], exact=exact)] for name, words in _FIGURES if name in named]
    by = f"by the {times[-1]}"
    heading = [
        f"{column.title}: a training step on {answer.layout}, {answer.query['hardware']}",
        f"sequences of {answer.query['sequence']:,} tokens",
    ]
    tables = [
        Table("", ["step", "time"], rows),
        Table("", [f"of the slowest rank, {by}", "time"], phases),
        Table("", [by, ""], figures),
    ]
    return View(heading, tables)
