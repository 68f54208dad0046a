"""Tables of ``train``: the times of a step, its phases, the share of the peak, cost, memory."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View, show
from dsv3calc.output.views.time import SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

PAIRS = "1f1b"
"""The phase of forward and backward passes that overlap, where a schedule has one."""

PHASES = {
    PAIRS: "forward and backward passes that overlap",
    "1f": "forward",
    "1b": "gradients of inputs, with what is recomputed",
    "1w": "gradients of weights",
    "bubble": "bubble of the pipeline",
    "optimizer": "optimizer",
    "data_parallel": "reductions of gradients that are not hidden",
    "pipeline": "sends between stages that are not hidden",
}
_ALONE = ("1f", "1b", "1w")
_FIGURES = (
    ("train.tokens_per_second", "tokens/s"),
    ("train.tokens_per_day", "tokens a day"),
    ("train.flops_per_second_per_gpu.causal", "model FLOP/s of a GPU, causal attention"),
    ("train.flops_per_second_per_gpu.full", "model FLOP/s of a GPU, full attention"),
    ("train.mfu.causal", "MFU of the {peak}, causal attention"),
    ("train.mfu.full", "MFU of the {peak}, full attention"),
    ("train.hfu", "HFU of the {peak}, causal attention"),
    ("train.hfu.full", "HFU of the {peak}, full attention"),
    ("train.gpu_hours", "GPU-hours of the run"),
    ("train.dollars", "price of the run"),
    ("train.energy", "energy of the run"),
    ("train.energy_per_step", "energy of a step"),
    ("train.energy_per_token", "energy of a trained token"),
)
_MEMORY = (
    ("train.memory.worst.total", "fullest GPU"),
    ("train.memory.usable", "usable"),
    ("train.memory.free", "free"),
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
    if "train.step.walk" in named:
        words = f"{times[-1]}, pass by pass"
        rows.append([words, show(named["train.step.walk"], exact=exact)])
    phases = [
        [_phase_words(name, named), show(named[f"train.phase.{name}"], exact=exact)]
        for name in PHASES
        if f"train.phase.{name}" in named
    ]
    by = f"by the {times[-1]}"
    heading = [
        f"{column.title}: a training step on {answer.layout}, {answer.query['hardware']}",
        f"sequences of {answer.query['sequence']:,} tokens",
    ]
    fits = named.get("train.memory.fits")
    if fits is not None and not fits.value:
        total, usable = (show(named[name], exact=exact) for name, _ in _MEMORY[:2])
        heading.insert(0, f"does not fit: the fullest GPU needs {total} of {usable} usable")
    tables = [
        Table("", ["step", "time"], rows),
        Table("", [f"of the slowest rank, {by}", "time"], phases),
        Table("", [by, ""], _figures(named, _FIGURES, exact=exact)),
    ]
    memory = _figures(named, _MEMORY, exact=exact)
    return View(heading, [*tables, Table("", ["memory", ""], memory)] if memory else tables)


def _phase_words(name: str, named: dict[str, Line]) -> str:
    alone = name in _ALONE and f"train.phase.{PAIRS}" in named
    return f"{PHASES[name]}, alone" if alone else PHASES[name]


def _figures(
    named: dict[str, Line], figures: Sequence[tuple[str, str]], *, exact: bool
) -> list[list[str]]:
    peak = named.get("train.peak")
    words = "" if peak is None else f"{show(peak, exact=exact)} {peak.tags.dtype.upper()} peak"
    return [
        [label.format(peak=words), show(named[name], exact=exact)]
        for name, label in figures
        if name in named
    ]
