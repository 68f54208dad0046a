"""Which stages a pipeline rank holds, and how many micro-batches of each at its peaks.

A rank's activations are a sum over its chunks of layers, and chunks differ in size: the first has
the embedding, the last the head, and layers do not always divide. So a schedule is described by
instants, each with one count per chunk, such that whatever the sizes of the chunks are, the peak
of the whole step is at one of them, also where a micro-batch keeps more for its weight gradient
alone than for its whole backward pass: what is recomputed for it then stays. DualPipe's instants
are exact for chunks of one size alone.

Ranks and degrees may be numbers, arrays or symbols; the schedule and ``virtual_pipeline`` decide
which lines there are, and are plain.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import dualpipe, interleaving, pipeline, traffic
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.ledger.tags import Tags
from dsv3calc.schema.layout import FOLDED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.schema.layout import Layout

CHUNKS_OF_A_V = given("schedule.chunks", 2, "1", "down the ranks and back up: a V")


class PeakInstant:
    """A time at which a rank may hold the most.

    ``in_flight`` has one line per chunk: micro-batches whose forward pass is done and whose
    backward pass for the inputs is not. ``pending`` likewise: micro-batches that wait for nothing
    but their weight gradient; it is empty where there are none at a peak.
    """

    __slots__ = ("in_flight", "pending")

    def __init__(self, in_flight: Sequence[Line], pending: Sequence[Line] = ()) -> None:
        self.in_flight = list(in_flight)
        self.pending = list(pending)


def _number(name: str, number: int) -> Line:
    """Return which of a rank's chunks, turns or the like is meant, as a line."""
    return given(f"schedule.{name}", number, "1")


def replica_micro_batches(layout: Layout) -> Line:
    """Return the micro-batches of a replica: of the layout's step, or enough to fill a pipeline."""
    name = "workload.micro_batches"
    if layout.global_batch is not None:
        convention = "of one replica in a step"
        scope = ("layout", layout)
        return computed(name, traffic.replica_micro_batches, scope, convention=convention)
    twice = given("schedule.full_pipelines", 2, "1", "pipelines that micro-batches fill")
    return combined(name, "product", (twice, degree(layout, "pp")), unit="1")


def virtual_stages(layout: Layout) -> Line:
    """Return how many stages the model's layers are split over."""
    parts = [degree(layout, "pp")]
    if layout.schedule == "interleaved":
        parts.append(degree(layout, "virtual_pipeline"))
    elif layout.schedule in FOLDED:
        parts.append(CHUNKS_OF_A_V)
    return combined("layout.virtual_stages", "product", parts)


def chunks_of(prefix: str, layout: Layout, rank: Line) -> list[Line]:
    """Return the virtual stage of each chunk that a pipeline rank holds."""
    scope, tags = ("layout", layout), Tags(quantity="stage", rank=rank.value)
    found = [total(f"{prefix}.chunk.0.stage", (rank,), unit="1", tags=tags)]
    second = f"{prefix}.chunk.1.stage"
    if layout.schedule == "interleaved":
        found += [
            computed(
                f"{prefix}.chunk.{chunk}.stage",
                pipeline.looped_stage,
                scope,
                tags=tags,
                rank=rank,
                model_chunk=_number("chunk", chunk),
            )
            for chunk in range(1, layout.virtual_pipeline)
        ]
    elif layout.schedule in FOLDED:
        found.append(computed(second, pipeline.folded_stage, scope, tags=tags, rank=rank))
    elif layout.schedule == "dualpipe":
        found.append(computed(second, pipeline.mirrored_stage, scope, tags=tags, rank=rank))
    return found


def peak_instants(
    prefix: str, layout: Layout, rank: Line, stages: Sequence[Line], micro_batches: Line
) -> list[PeakInstant]:
    """Return the instants at one of which a rank holds the most, whatever its chunks' sizes.

    Parameters
    ----------
    prefix
        Names the rank.
    layout
        Its ``schedule``, ``virtual_pipeline`` and ``pp`` are looked at. They agree with each other
        and with the micro-batches: see ``schedule_problems``.
    rank
        Pipeline rank, from 0.
    stages
        What :func:`chunks_of` returns.
    micro_batches
        Those of a replica in a step; under DualPipe of both directions together.
    """
    return _INSTANTS[layout.schedule](prefix, layout, rank, stages, micro_batches)


def _gpipe(
    prefix: str, _layout: Layout, _rank: Line, _stages: Sequence[Line], micro_batches: Line
) -> list[PeakInstant]:
    name = f"{prefix}.chunk.0.in_flight"
    return [PeakInstant([computed(name, pipeline.gpipe_in_flight, micro_batches=micro_batches)])]


def _one_forward_one_backward(
    prefix: str, layout: Layout, rank: Line, _stages: Sequence[Line], micro_batches: Line
) -> list[PeakInstant]:
    in_flight = computed(
        f"{prefix}.chunk.0.in_flight",
        pipeline.one_forward_one_backward_in_flight,
        ("layout", layout),
        rank=rank,
        micro_batches=micro_batches,
    )
    return [PeakInstant([in_flight])]


def _zb1p(
    prefix: str, layout: Layout, rank: Line, _stages: Sequence[Line], micro_batches: Line
) -> list[PeakInstant]:
    """After a forward pass, and after a backward pass whose weight gradient is yet to come."""

    def count(moment: int, what: str, function: Callable[..., Any]) -> list[Line]:
        name = f"{prefix}.moment.{moment}.chunk.0.{what}"
        scope = ("layout", layout)
        return [computed(name, function, scope, rank=rank, micro_batches=micro_batches)]

    return [
        PeakInstant(
            count(0, "in_flight", pipeline.one_forward_one_backward_in_flight),
            count(0, "pending", pipeline.zb1p_pending),
        ),
        PeakInstant(
            count(1, "in_flight", pipeline.zb1p_in_flight_after_backward),
            count(1, "pending", pipeline.zb1p_pending_after_backward),
        ),
    ]


def _zbv(
    prefix: str, layout: Layout, rank: Line, stages: Sequence[Line], micro_batches: Line
) -> list[PeakInstant]:
    """After forward passes, after backward passes whose weight gradient is to come, and draining.

    In the steady phase forward passes of the two chunks alternate, and a weight gradient follows
    its backward pass at once. At the end they wait, until the rank has put off as many of each
    chunk as there are ranks before it.
    """
    nothing, one = given("schedule.none", 0, "1"), given("schedule.one", 1, "1")

    def flying(moment: int, chunk: int, behind: int) -> Line:
        return computed(
            f"{prefix}.moment.{moment}.chunk.{chunk}.in_flight",
            pipeline.zbv_in_flight,
            ("layout", layout),
            stage=stages[chunk],
            micro_batches=micro_batches,
            behind=_number("behind", behind),
        )

    def draining(moment: int, *gone: Line) -> PeakInstant:
        name = f"{prefix}.moment.{moment}.chunk.0"
        left = combined(
            f"{name}.in_flight", "difference", (degree(layout, "pp"), rank, *gone), unit="1"
        )
        owed = total(f"{name}.pending", (rank, *gone), unit="1")
        return PeakInstant([left, nothing], [owed, rank])

    first = flying(3, 0, 0)
    return [
        PeakInstant([flying(0, 0, 0), flying(0, 1, 1)]),
        PeakInstant([flying(1, 0, 1), flying(1, 1, 0)]),
        PeakInstant([flying(2, 0, 1), flying(2, 1, 1)], [nothing, one]),
        PeakInstant(
            [
                combined(f"{prefix}.moment.3.chunk.0.after_backward", "difference", (first, one)),
                flying(3, 1, 1),
            ],
            [one, nothing],
        ),
        draining(4),
        draining(5, one),
    ]


def _dualpipe(
    prefix: str, layout: Layout, _rank: Line, stages: Sequence[Line], _micro_batches: Line
) -> list[PeakInstant]:
    """At the peak in flight, before it with one weight gradient put off, and draining.

    Exact for chunks of one size; passes of the two alternate, so that one much larger than the
    other may be at its most a pass earlier or later.
    """
    own = (
        dualpipe.dualpipe_in_flight
        if layout.schedule == "dualpipe"
        else dualpipe.dualpipev_in_flight
    )
    number, one = virtual_stages(layout), given("schedule.one", 1, "1")

    def count(moment: int, what: str, function: Callable[..., Any]) -> list[Line]:
        more: dict[str, Any] = {} if function is own else {"virtual_stages": number}
        name = f"{prefix}.moment.{moment}.chunk"
        return [
            computed(f"{name}.{chunk}.{what}", function, ("layout", layout), stage=stage, **more)
            for chunk, stage in enumerate(stages)
        ]

    most = count(0, "in_flight", own)
    early = [
        combined(f"{prefix}.moment.1.chunk.{chunk}.in_flight", "difference", (line, one))
        for chunk, line in enumerate(most)
    ]
    return [
        PeakInstant(most),
        PeakInstant(early, count(1, "pending", dualpipe.dualpipe_pending_early)),
        PeakInstant(
            count(2, "in_flight", dualpipe.dualpipe_in_flight_draining),
            count(2, "pending", dualpipe.dualpipe_pending_draining),
        ),
    ]


def _interleaved(
    prefix: str, layout: Layout, rank: Line, stages: Sequence[Line], micro_batches: Line
) -> list[PeakInstant]:
    """After the forward pass of a pair, whenever the passes of either direction change chunks.

    In between one chunk gains what another loses, so no other time can be the peak of all sizes.
    In a round of pp v pairs there are 2 v changes, and two stretches where both passes are of the
    same chunk and the counts stand still. From one stretch to the other the counts go the same way
    as back again, chunk by chunk: v instants are all that differ.
    """
    scope = ("layout", layout)
    chunks = layout.virtual_pipeline
    warm_up = computed(
        f"{prefix}.warm_up",
        interleaving.interleaved_warm_up,
        scope,
        rank=rank,
        micro_batches=micro_batches,
    )
    turns = [
        computed(
            f"{prefix}.backward_turn.{turn}",
            interleaving.backwards_at_backward_turn,
            scope,
            micro_batches=micro_batches,
            warm_up=warm_up,
            turn=_number("turn", turn),
        )
        for turn in range(chunks - chunks // 2)
    ]
    turns += [
        computed(
            f"{prefix}.forward_turn.{turn}",
            interleaving.backwards_at_forward_turn,
            scope,
            rank=rank,
            micro_batches=micro_batches,
            warm_up=warm_up,
            turn=_number("turn", turn),
        )
        for turn in range(chunks // 2)
    ]
    numbers = [_number("chunk", chunk) for chunk in range(len(stages))]
    found = []
    for moment, backwards in enumerate(turns):
        name = f"{prefix}.moment.{moment}"
        forwards = total(f"{name}.forwards", (warm_up, backwards))
        found.append(
            PeakInstant(
                [
                    computed(
                        f"{name}.chunk.{chunk}.in_flight",
                        interleaving.interleaved_in_flight,
                        scope,
                        model_chunk=number,
                        forwards=forwards,
                        backwards=backwards,
                    )
                    for chunk, number in enumerate(numbers)
                ]
            )
        )
    return found


_INSTANTS: dict[str, Callable[[str, Layout, Line, Sequence[Line], Line], list[PeakInstant]]] = {
    "gpipe": _gpipe,
    "1f1b": _one_forward_one_backward,
    "interleaved": _interleaved,
    "zb1p": _zb1p,
    "zbv": _zbv,
    "dualpipe": _dualpipe,
    "dualpipev": _dualpipe,
}
