"""Why one layout is none of the best: each rule that refuses it, what it lacks, what it takes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger, Line, combined, given
from dsv3calc.studies.answer import Column
from dsv3calc.studies.search.request import read_pins
from dsv3calc.studies.search.rules import problems_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.search.serving import ServingSearch
    from dsv3calc.studies.search.training import TrainingSearch

    Wanted = TrainingSearch | ServingSearch


def told_of(wanted: Wanted, answer: Answer, text: str, counts: Sequence[Sequence[int]]) -> Answer:
    """Answer why a layout is none of the best.

    Raises
    ------
    UsageError
        If the text is no layout of the space.
    """
    axes = _axes(wanted, text, counts)
    told = (
        f"{rule.words}: {what} ({why})"
        for rule in wanted.rules()
        for what, why in problems_of(rule, wanted.base, axes)
    )
    reasons = [*dict.fromkeys(told)]  # several matrices may have one problem
    unpinned = [
        f"--pin {name}={'|'.join(map(str, values))} does not hold: {name} is {axes[name]}"
        for name, values in wanted.pins.items()
        if name != "dp" and axes[name] not in values  # dp has a rule of its own
    ]
    lines: list[Line] = []
    if not reasons:
        axes = wanted.settled(axes)
        lines, reasons = _counted(wanted, axes)
    reasons += unpinned
    title = wanted.model.value.title
    verdict = Line(
        "search.why.refused", len(reasons), "1", "search", convention="reasons that refuse it"
    )
    answer.columns.append(Column(wanted.model.name, title, Ledger(title, [verdict, *lines])))
    answer.query |= {"why": wanted.told(axes), "reasons": reasons}
    answer.notes.append(f"by itself: {wanted.command(axes)}")
    return answer


def _axes(wanted: Wanted, text: str, counts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Read a layout; the replicas follow from the GPUs, axes that it does not name from pins."""
    pins = read_pins([text], "--why", wanted.axes)
    several = [name for name, values in pins.items() if len(values) > 1]
    if several:
        raise UsageError(f"--why: {', '.join(several)} has several values", "name one layout")
    if len(counts) > 1 or len(counts[0]) > 1:
        raise UsageError("--why needs one number of GPUs", "--gpus 2048")
    held = {name: values for name, values in wanted.pins.items() if name != "dp"}
    return wanted.axes_of({name: each[0] for name, each in {**held, **pins}.items()}, counts[0][0])


def _counted(wanted: Wanted, axes: Mapping[str, Any]) -> tuple[list[Line], list[str]]:
    """Count a layout that no rule refuses, beside the best one; say what it lacks."""
    winner = wanted.ask(axes)
    reasons, lines = wanted.lacks(winner), []
    for name, value in winner.results.items():
        unit = wanted.units[name]
        source = given(f"why.{name}", value, unit, "by itself")
        lines.append(combined(f"search.why.{name}", "sum", [source]))
    reasons += [
        f"{condition.option} {condition.text} does not hold"
        for condition in wanted.conditions
        if not condition.holds({**axes, **winner.results}).all()
    ]
    return lines, reasons
