"""Why one layout is none of the best: each rule that refuses it, what it lacks, what it takes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger, Line, combined, given
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.studies.answer import Column
from dsv3calc.studies.search.beside import check_work
from dsv3calc.studies.search.request import check_experts, read_pins
from dsv3calc.studies.search.rules import problems_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.search.rules import Rule
    from dsv3calc.studies.search.serving import ServingSearch
    from dsv3calc.studies.search.training import TrainingSearch

    Wanted = TrainingSearch | ServingSearch


_FOLLOWING = {"dp", "edp", "etp", "micro_batches"}
"""Columns that follow from the replicas."""

_LARGEST = 10**6
"""Layouts of a space that is searched for a better one."""

_ROUNDED = 1e-9
"""Share by which a layout counted in columns may differ from the same one asked about alone."""


def told_of(wanted: Wanted, answer: Answer, text: str, counts: Sequence[Sequence[int]]) -> Answer:
    """Answer why a layout is none of the best.

    Raises
    ------
    UsageError
        If the text is no layout of the space.
    """
    axes = _axes(wanted, text, counts)
    said: dict[Rule, list[str]] = {}
    known: set[tuple[str, str]] = set()
    for rule in wanted.rules():
        found = [each for each in problems_of(rule, wanted.base, axes) if each not in known]
        if found:  # what an earlier rule says is not repeated
            said[rule] = [f"{rule.words}: {what} ({why})" for what, why in dict.fromkeys(found)]
            known.update(found)
    divided = all(rule.name != "degrees" for rule in said)
    reasons = [
        each
        for rule, several in said.items()
        if divided or _FOLLOWING.isdisjoint(rule.needs)  # there are no replicas to speak of
        for each in several
    ]
    unpinned = [
        f"--pin {name}={'|'.join(map(str, values))} does not hold: {name} is {axes[name]}"
        for name, values in wanted.pins.items()
        if name != "dp" and axes[name] not in values  # dp has a rule of its own
    ]
    lines: list[Line] = []
    if not reasons:
        axes = wanted.settled(axes)
        lines, reasons, results = _counted(wanted, axes)
        if not reasons and not unpinned:
            answer.notes += _better(wanted, counts[0], results)
    reasons += unpinned
    title = wanted.model.value.title
    verdict = Line(
        "search.why.refused", len(reasons), "1", "search", convention="reasons that refuse it"
    )
    answer.columns.append(Column(wanted.model.name, title, Ledger(title, [verdict, *lines])))
    answer.query |= {"why": wanted.told(axes), "reasons": reasons}
    if divided:
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
    check_experts(wanted.model, pins, "--why")
    if wanted.query.phase == "serve":
        check_work(wanted.query, pins, "--why")
    held = {name: values for name, values in wanted.pins.items() if name != "dp"}
    return wanted.axes_of({name: each[0] for name, each in {**held, **pins}.items()}, counts[0][0])


def _better(wanted: Wanted, gpus: Sequence[int], results: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is better than a layout that fits, where the space is soon gone through."""
    search = wanted.search(gpus, most=1)
    if search.size > _LARGEST:
        yield "whether another layout is better is shown without --why"
        return
    mine = [
        sign * results[name] for sign, name in zip(search.signs, wanted.objectives, strict=True)
    ]
    for each in search.run():
        pairs = [*zip(each.objectives, mine, strict=True)]
        less = any(other - one > _ROUNDED * abs(other) for one, other in pairs)
        if less and all(one <= other for one, other in pairs):
            found = wanted.ask(each.axes).results
            shown = ", ".join(
                f"{name} {format_quantity(found[name], wanted.units[name])}"
                for name in wanted.objectives
            )
            yield f"better: {wanted.told(each.axes)}: {shown}"
            return
    yield "no layout is better" if len(mine) == 1 else "no layout is better in all objectives"


def _counted(
    wanted: Wanted, axes: Mapping[str, Any]
) -> tuple[list[Line], list[str], dict[str, Any]]:
    """Count a layout that no rule refuses; say what it lacks, and return its results."""
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
    return lines, reasons, winner.results
