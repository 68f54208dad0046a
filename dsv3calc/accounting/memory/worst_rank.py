"""The fullest pipeline rank of a layout, found among a few of them.

What stands on a stage changes from one stage to the next at few places: where a run of layers of
one kind begins or ends, next to the embedding, the head and MTP modules, and where the split goes
over to one layer less. Between two such edges every rank holds the same, but for micro-batches in
flight, whose numbers are linear in the rank: the fullest rank is at either end.

At an edge where one side holds all that the other does and more, the other is out of the question:
its line, taken one rank further, runs below the fuller side. Where every schedule's count falls
with the rank, the first rank of a stretch is all that is needed. While DualPipe drains, the two
chunks of a rank take turns, so that counts are linear over even ranks and over odd ones: both of
the two ranks at each end of a stretch are needed.

The maximum is that over all ranks exactly where bytes are whole numbers; elsewhere ranks that hold
the same on paper may differ in the last digit, and one of them is taken.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.memory.ranks import WorstLines, rank_line, worst_lines
from dsv3calc.accounting.placement.stages import Stages
from dsv3calc.errors import UsageError
from dsv3calc.numbers.ops import clip, floor_div, maximum, minimum
from dsv3calc.schema.layers import listed, parse_slice
from dsv3calc.schema.layout import BOTH_ENDS, PAIRED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.accounting.memory.footprint import Footprint
    from dsv3calc.ledger.line import Line
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

_FALLING = ("gpipe", "1f1b")
"""Schedules under which a rank has no more micro-batches in flight than the one before it."""


def candidate_ranks(model: Model, layout: Layout, *, mtp: bool = False) -> list[Line]:
    """List pipeline ranks among which one is the fullest.

    Parameters
    ----------
    model, layout
        Their numbers may be ints, arrays or symbols.
    mtp
        Whether MTP modules are trained.

    Returns
    -------
    Lines whose values are ranks from 0 to pp - 1: in order and each once where they are ints;
    where they are arrays, one may stand there several times. Where layers of one kind alternate
    with others (``5::6``), or a list gives the layers of each stage, they are all ranks: as many
    as the largest pp of an array.

    Raises
    ------
    UsageError
        If all ranks are needed, and their number is a symbol.
    """
    if needs_all_ranks(model, layout):
        return _all_ranks(layout.pp)
    stages = Stages("memory.split", model, layout, mtp=mtp)
    last = layout.pp - 1
    ends = _ends(layout, last)
    found = [*(_rank_of(stages, stage) for stage in _edges(stages)), *ends]
    if layout.schedule in PAIRED:
        found = [clip(rank + step, 0, ends[-1]) for rank in found for step in (0, -1, 1)]
    ranks = [*_outer(stages, last), *found]  # first the lower of equals
    if all(type(rank) is int for rank in ranks):
        ranks = sorted(set(ranks))
    else:
        ranks = [*{rank if type(rank) is int else id(rank): rank for rank in ranks}.values()]
    return _candidates(ranks)


def _candidates(ranks: Sequence[Any]) -> list[Line]:
    return [rank_line(_name(number, rank), rank) for number, rank in enumerate(ranks)]


def _name(number: int, rank: Any) -> str:
    return f"memory.rank.{rank}" if type(rank) is int else f"memory.candidate.{number}"


def needs_all_ranks(model: Model, layout: Layout) -> bool:
    """Tell whether any rank may be the fullest."""
    return isinstance(layout.layer_split, list) or _strided(model)


def _strided(model: Model) -> bool:
    """Tell whether layers of one kind stand between others at every few places."""
    return any(
        text != "rest" and parse_slice(text)[2] != 1
        for group in model.groups
        for text in listed(group.layers)
    )


def _all_ranks(pp: Any) -> list[Line]:
    if type(pp) is int:
        return _candidates(range(pp))
    if hasattr(pp, "free_symbols"):
        raise UsageError(
            "the query is about the fullest pipeline rank, and the number of ranks is a symbol",
            "give pp as a number: layers alternate, or layer_split lists each stage",
        )
    return _candidates([minimum(rank, pp - 1) for rank in range(int(pp.max()))])


def _ends(layout: Layout, last: Any) -> list[Any]:
    """List the ranks between which counts in flight are linear, whatever stands on the stages."""
    pp, schedule = layout.pp, layout.schedule
    if schedule in _FALLING:
        return [0]
    if schedule == "dualpipe":  # the second half holds what the first does
        return [0, floor_div(pp, 2) - 1]
    if schedule == "zbv":  # with the fewest micro-batches, rank 0 has as many as rank 1
        return [0, 1, last]
    if schedule == "interleaved":  # passes before the first backward one reach a multiple of pp
        return [0, floor_div(last, 2), floor_div(pp, 2), last]
    return [0, last]


def _outer(stages: Stages, last: Any) -> Iterator[Any]:
    """Yield the ranks that hold the embedding, the head and MTP modules."""
    layout = stages.layout
    places = [layout.embedding_stage, layout.head_stage]
    if stages.mtp is not None:
        places.append(layout.mtp_stage)
    for place in dict.fromkeys(places):
        if place == 0:
            yield 0
        elif place == -1:
            yield 0 if layout.schedule in BOTH_ENDS else last
        else:
            yield _rank_of(stages, place if place > 0 else stages.number.value + place)


def _edges(stages: Stages) -> list[Any]:
    """List the stages on the fuller side of each edge, both sides where neither is."""
    layout = stages.layout
    falling, balanced = layout.schedule in _FALLING, layout.layer_split == "balanced"
    found: list[Any] = []
    for layer in _boundaries(stages):
        stage = _stage_of(stages, layer)
        found += [stage, stage + 1] if falling else [stage - 1, stage, stage + 1]
    if balanced:
        found.append(1)  # before it the embedding has taken the place of a layer
    if falling:
        return found
    found.append(stages.longer.value - 1)
    if balanced:  # the head has taken the place of layers
        stage = _stage_of(stages, stages.depth.value)
        found += [stage - 1, stage]
    return found


def _boundaries(stages: Stages) -> list[int]:
    """List the layers with which another kind begins."""
    found: set[int] = set()
    for view in stages.groups:
        for text in listed(view.group.layers):
            if text != "rest":
                start, stop, _ = parse_slice(text)
                found |= {start, stop or 0}
    depth = stages.depth.value
    return sorted(each for each in found if each and (type(depth) is not int or each < depth))


def _stage_of(stages: Stages, layer: Any) -> Any:
    """Return the stage that a layer stands on: the inverse of :func:`stages.stage_start`."""
    least, longer = stages.least.value, stages.longer.value
    place = layer + stages.leading.value
    return maximum(floor_div(place, least + 1), floor_div(place - longer, maximum(least, 1)))


def _rank_of(stages: Stages, stage: Any) -> Any:
    """Return the pipeline rank that holds a stage, the nearest one where there is none."""
    stage = clip(stage, 0, stages.number.value - 1)
    pp = stages.layout.pp
    if stages.layout.schedule in BOTH_ENDS:
        return minimum(stage, stages.number.value - 1 - stage)
    if stages.layout.schedule == "interleaved":
        return stage - pp * floor_div(stage, pp)
    return stage


def worst(footprint: Footprint) -> WorstLines:
    """Give the memory of the fullest pipeline rank of a layout, or of each of an array of them."""
    candidates = candidate_ranks(footprint.model, footprint.layout, mtp=footprint.mtp)
    ranks = [
        footprint.rank(_name(number, each.value), each) for number, each in enumerate(candidates)
    ]
    return worst_lines(ranks, None)
