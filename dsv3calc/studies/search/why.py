"""Why one layout is none of the best: each rule that refuses it, what it lacks, what it takes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger, Line, combined, given
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.studies.answer import Column
from dsv3calc.studies.search.request import PLAIN, TRAINING_AXES, read_pins
from dsv3calc.studies.search.rules import problems_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.search.training import TrainingSearch


def told_of(
    wanted: TrainingSearch, answer: Answer, text: str, counts: Sequence[Sequence[int]]
) -> Answer:
    """Answer why a layout is none of the best.

    Raises
    ------
    UsageError
        If the text is no layout of the space.
    """
    axes = _axes(wanted, text, counts)
    reasons = [
        f"{rule.words}: {what} ({why})"
        for rule in wanted.rules()
        for what, why in problems_of(rule, wanted.base, axes)
    ]
    lines: list[Line] = []
    if not reasons:
        lines, reasons = _counted(wanted, axes)
    title = wanted.model.value.title
    verdict = Line(
        "search.why.refused", len(reasons), "1", "search", convention="reasons that refuse it"
    )
    answer.columns.append(Column(wanted.model.name, title, Ledger(title, [verdict, *lines])))
    answer.query |= {"why": wanted.told(axes), "reasons": reasons}
    answer.notes.append(f"by itself: {wanted.command(axes)}")
    return answer


def _axes(wanted: TrainingSearch, text: str, counts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Read a layout; the replicas follow from the GPUs."""
    pins = read_pins([text], "--why", TRAINING_AXES)
    several = [name for name, values in pins.items() if len(values) > 1]
    if several:
        raise UsageError(f"--why: {', '.join(several)} has several values", "name one layout")
    if len(counts) > 1 or len(counts[0]) > 1:
        raise UsageError("--why needs one number of GPUs", "--gpus 2048")
    axes = {**PLAIN, "gpus": counts[0][0], **{name: each[0] for name, each in pins.items()}}
    shared = axes["tp"] * axes["cp"] * axes["pp"]
    dp = axes.get("dp", max(1, axes["gpus"] // shared))
    if shared * dp != axes["gpus"]:
        raise UsageError(
            f"--why: tp x cp x pp x dp = {shared * dp:,} are not {axes['gpus']:,} GPUs",
            "leave out dp, or give degrees that multiply out",
        )
    batch = wanted.query.global_batch
    micro_batches = 2 * axes["pp"] if batch is None else batch // (dp * axes["micro_batch"])
    edp = axes["tp"] * axes["cp"] * dp // (axes["ep"] * axes["etp"])
    return {**axes, "dp": dp, "edp": edp, "micro_batches": micro_batches}


def _counted(wanted: TrainingSearch, axes: Mapping[str, Any]) -> tuple[list[Line], list[str]]:
    """Count a layout that no rule refuses, beside the best one; say what it lacks."""
    winner, usable = wanted.ask(axes), wanted.usable
    reasons, lines = [], []
    for name, value in winner.results.items():
        unit = wanted.units[name]
        source = given(f"why.{name}", value, unit, "by itself")
        lines.append(combined(f"search.why.{name}", "sum", [source]))
    excess = winner.results["memory"] - usable
    if excess > 0:
        device = wanted.hardware.name
        shown = format_quantity(excess, "B")
        reasons.append(f"memory: {shown} more than {device} has for a process")
    reasons += [
        f"--where {condition.text} does not hold"
        for condition in wanted.conditions
        if not condition.holds({**axes, **winner.results}).all()
    ]
    return lines, reasons
