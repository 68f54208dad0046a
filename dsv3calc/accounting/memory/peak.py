"""What a rank holds at its peak: the largest of its instants, and the classes of memory then.

A schedule has instants at which micro-batches in flight may take the most. At each of them either
the loss and the head of one micro-batch run, or a layer; under schedules that overlap two passes
both do.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.memory.buffers import NOTHING
from dsv3calc.accounting.memory.in_flight import instant_names
from dsv3calc.formulas import loss
from dsv3calc.ledger.line import Line, combined, computed, total
from dsv3calc.ledger.tags import Tags, about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.memory.loss import HeadBuffers


class Peak:
    """What a rank has at its peak that it has not at all times.

    ``activations`` are those of its micro-batches, ``working`` the classes of what is at work, by
    name, ``absent`` the gradients that are not there yet, all of the peak; ``parts`` [B] add up to
    activations and what is at work.
    """

    __slots__ = ("absent", "activations", "parts", "working")

    def __init__(
        self,
        activations: Line,
        working: dict[str, Line],
        parts: list[Line],
        absent: Line | None = None,
    ) -> None:
        self.activations = activations
        self.working = working
        self.parts = parts
        self.absent = absent


def overlapping_peak(
    name: str,
    rank: Line,
    activations: Sequence[Line],
    living: Line,
    head: HeadBuffers,
    layer: dict[str, Line],
) -> Peak:
    """Give the peak of a rank that runs two passes at once: what both need, and the most it keeps.

    ``living`` counts the micro-batches whose logits are alive, at most.
    """
    tags = Tags(quantity="activations", rank=rank.value)
    most = combined(f"{name}.activations", "maximum", activations, tags=tags)
    working = {**layer, **_of_head(name, living, head, NOTHING)}
    return Peak(most, working, [most, *working.values()])


def peak_of(
    name: str,
    rank: Line,
    activations: Sequence[Line],
    living: Sequence[Line],
    head: HeadBuffers,
    layer: dict[str, Line],
    released: Line | None,
) -> Peak:
    """Give the peak of a rank whose loss does not run while a layer does.

    Parameters
    ----------
    name
        What the lines' names begin with.
    rank
        Its number.
    activations, living
        What micro-batches in flight keep [B], and how many of them have logits [1]: at each instant
        of the schedule.
    head, layer
        What loss and head of a micro-batch, and what the largest layer takes [B].
    released
        Gradients that are not there when the first loss is computed [B]; None where all are.
    """
    parts = [*layer.values(), *([] if released is None else [released])]
    rival = parts[0] if len(parts) == 1 else total(f"{name}.layer", parts)
    sizes: dict[str, Any] = {"head_bytes": head.largest, "layer_bytes": rival}
    one = len(activations) == 1
    names = [name] if one else instant_names(name, len(activations))
    at_work = [
        computed(
            f"{each}.working",
            loss.working_bytes,
            living_logits=count,
            kept_logits=head.kept,
            **sizes,
        )
        for each, count in zip(names, living, strict=True)
    ]
    if one:
        kept, count = activations[0], living[0]
        dynamic = [kept, at_work[0]]
    else:
        sums = [
            total(f"{each}.held", pair)
            for each, pair in zip(names, zip(activations, at_work, strict=True), strict=True)
        ]
        tags = Tags(quantity="activations", rank=rank.value)
        kept = combined(f"{name}.activations", "at_largest", [*sums, *activations], tags=tags)
        count = combined(f"{name}.living_logits", "at_largest", [*sums, *living], unit="1")
        dynamic = [combined(f"{name}.peak", "maximum", sums)]

    def at_peak(what: str, line: Line) -> Line:
        return computed(
            f"{name}.{what}",
            loss.layer_at_peak,
            tags=about(what),
            living_logits=count,
            part_bytes=line,
            **sizes,
        )

    working = {what: at_peak(what, line) for what, line in layer.items()}
    working |= _of_head(name, count, head, rival)
    absent = None
    if released is not None:
        present = at_peak("released_gradients", released)
        absent = combined(f"{name}.absent_gradients", "difference", (released, present))
    return Peak(kept, working, dynamic, absent)


def _of_head(name: str, living: Line, head: HeadBuffers, rival: Line) -> dict[str, Line]:
    """Give the logits in flight, and what loss and head take where they run at the peak."""
    sizes: dict[str, Any] = {
        "living_logits": living,
        "head_bytes": head.largest,
        "layer_bytes": rival,
    }
    return {
        "logits": computed(
            f"{name}.logits",
            loss.logits_at_peak,
            tags=about("logits"),
            kept_logits=head.kept,
            part_bytes=head.logits,
            **sizes,
        ),
        "head": computed(
            f"{name}.head_at_work",
            loss.head_at_peak,
            convention="beyond the logits: gradients of the head, and what is gathered for it",
            tags=about("head_at_work"),
            part_bytes=head.beyond,
            **sizes,
        ),
    }
