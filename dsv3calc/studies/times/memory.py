"""Whether a training step fits its GPUs: the answer of ``memory`` to the same question."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.errors import UsageError
from dsv3calc.ledger.substitution import Substitution
from dsv3calc.queries.fields import fields_of
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.studies.answer import add_new
from dsv3calc.studies.memory.answer import answer_memory

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.train import TrainQuery
    from dsv3calc.studies.answer import Answer

SHOWN = ("memory.worst.total", "memory.usable", "memory.free", "memory.fits")
"""Lines of ``memory`` that an answer of ``train`` has, with its own name before theirs."""


def memory_lines(query: TrainQuery, answer: Answer) -> list[Line]:
    """Give the memory of the fullest GPU and whether it fits, and tell first where it does not.

    Raises
    ------
    UsageError
        If ``--require-fit`` is given and memory cannot be counted.
    """
    shared = fields_of(MemoryQuery).keys() & fields_of(type(query)).keys()
    asked = MemoryQuery(**{name: getattr(query, name) for name in shared}, design=query.design)
    try:
        other = answer_memory(asked)
    except UsageError as error:
        if query.require_fit:
            raise
        answer.warn(f"memory is not counted: {error.message}")
        return []
    answer.status = other.status
    add_new(answer.assumptions, other.assumptions)
    answer.brief |= other.brief
    answer.presets += other.presets
    add_new(answer.sources, other.sources)
    by_name = {line.name: line for line in other.columns[0].ledger.lines}
    under = Substitution("train.", {})
    found = [under.line(by_name[name]) for name in SHOWN if name in by_name]
    fits = by_name.get("memory.fits")
    if fits is not None and not fits.value:
        answer.warnings.insert(
            0, "the layout does not fit in the memory of a GPU, so no real run has these times"
        )
    return found
