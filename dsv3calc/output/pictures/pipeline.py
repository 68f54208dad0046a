"""The passes of a pipeline's ranks in a training step, along the time axis."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.placement.orders import INPUTS, WEIGHTS, B, F
from dsv3calc.errors import UsageError
from dsv3calc.output.pictures.chart import Axis
from dsv3calc.output.pictures.lanes import Bar, Kind, Lane, Lanes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.placement.orders import Step
    from dsv3calc.accounting.placement.walk import Event, Walk
    from dsv3calc.studies.answer import Answer

PAIR = "FB"
KINDS = {
    F: Kind("forward", "F"),
    B: Kind("backward", "B"),
    INPUTS: Kind("gradients of inputs", "I"),
    WEIGHTS: Kind("gradients of weights", "W"),
    PAIR: Kind("forward and backward that overlap", "x"),
}
"""What a rank does in a step, in the order of the legend."""


def kind_of(step: Step) -> str:
    """Return what a rank does in a step of its order: a key of :data:`KINDS`."""
    return PAIR if len(step) > 1 else step[0][0]


def walk_of(answer: Answer) -> Walk:
    """Return the step of an answer of ``train`` by the clock.

    Raises
    ------
    UsageError
        If it has too many passes.
    """
    if answer.walk is None:
        raise UsageError(
            "this step has too many passes to be shown one by one", "give a smaller --global-batch"
        )
    return answer.walk


def chart_of(answer: Answer) -> Lanes:
    """Return the timeline of an answer of ``train``."""
    found = walk_of(answer)
    lanes = [
        _lane(f"rank {number}", events, float(found.seconds))
        for number, events in enumerate(found.ranks)
    ]
    named = answer.columns[0].ledger.named()
    by = "estimate" if "train.step.estimate" in named else "floor"
    where = f"{answer.layout}, {answer.query['hardware']}"
    return Lanes(
        f"{answer.columns[0].title}: a training step on {where}",
        Axis("time in the step", "s"),
        lanes,
        list(KINDS.values()),
        [f"by the {by}, pass by pass; the optimizer and what is sent between passes are left out"],
        rest="idle",
    )


def _lane(label: str, events: Sequence[Event], whole: float) -> Lane:
    bars = [Bar(each.start, each.end, KINDS[kind_of(each.step)]) for each in events]
    busy = sum(bar.end - bar.start for bar in bars)
    idle = 1 - busy / whole if whole else 0.0
    return Lane(label, bars, f"idle {100 * idle:.1f} %")
