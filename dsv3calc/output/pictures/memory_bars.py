"""The memory of each pipeline rank's GPUs by class, against what the device has."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.errors import UsageError
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.pictures.chart import Axis
from dsv3calc.output.pictures.lanes import Kind, Lane, Lanes, Mark, stacked
from dsv3calc.output.views import memory, serving

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

TRAINING = {
    "weights": Kind("weights", "W"),
    "gradients": Kind("gradients", "G"),
    "optimizer": Kind("optimizer states", "O"),
    "activations": Kind("activations", "A"),
    "buffers": Kind("buffers", "B"),
}
SERVING = {
    "weights": Kind("weights", "W"),
    "kv_bytes": Kind("cache of the batch", "C"),
    "buffers": Kind("buffers", "B"),
}
"""Parts of the memory of a rank, in the order in which they are stacked."""


def chart_of(answer: Answer) -> Lanes:
    """Return the bars of an answer of ``memory``.

    Raises
    ------
    UsageError
        If the answer is by tensor or a comparison, which shows no ranks by class.
    """
    named = answer.columns[0].ledger.named()
    if answer.view == "memory":
        return _training(answer, named)
    if answer.view == "serving":
        return _serving(answer, named)
    raise UsageError(
        "the picture of memory is that of its ranks by class", "give --by class or --by rank"
    )


def _training(answer: Answer, named: dict[str, Line]) -> Lanes:
    worst = named["memory.worst.rank"].value
    lanes = []
    for first, last in memory.alike_ranks(named, together=answer.query["by"] != "rank"):
        name = f"rank {first}" if first == last else f"ranks {first}-{last}"
        mark = " *" if first <= worst <= last else ""
        lanes.append(_lane(name + mark, named, f"memory.rank.{first}", TRAINING))
    marks = []
    if "memory.usable" in named:
        usable = named["memory.usable"].value
        marks.append(Mark(usable, f"usable on {answer.query['hardware']}"))
    heading = memory.heading(answer)
    remarks = ["* the fullest rank", heading[1]]
    return Lanes(
        heading[0], Axis("memory of a GPU", "B"), lanes, [*TRAINING.values()], remarks, marks=marks
    )


def _serving(answer: Answer, named: dict[str, Line]) -> Lanes:
    lanes: list[Lane] = []
    while f"serving.rank.{len(lanes)}.total" in named:
        number = len(lanes)
        lanes.append(_lane(f"rank {number}", named, f"serving.rank.{number}", SERVING))
    marks = [Mark(named["serving.budget"].value, serving.budget_words(answer))]
    heading = serving.heading(answer)
    fit = named["serving.max_sequences"].value
    remarks = [heading[1], f"{fit:,} sequences of {answer.query['context']:,} tokens fit"]
    return Lanes(
        heading[0], Axis("memory of a GPU", "B"), lanes, [*SERVING.values()], remarks, marks=marks
    )


def _lane(label: str, named: dict[str, Line], rank: str, parts: dict[str, Kind]) -> Lane:
    values = [named[f"{rank}.{part}"].value for part in parts]
    whole = format_quantity(named[f"{rank}.total"].value, "B")
    return Lane(label, stacked(values, [*parts.values()]), whole)
