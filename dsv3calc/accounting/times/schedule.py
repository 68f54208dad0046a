"""What a pipeline schedule makes of the passes of ranks: bubble, pairs that overlap, the clock."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.placement.orders import INPUTS, WEIGHTS, F
from dsv3calc.accounting.placement.walk import MOST_PASSES, Walk, passes_of, walk
from dsv3calc.accounting.times.kernels import FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT
from dsv3calc.formulas import bubbles, dualpipe
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.schema.layout import PAIRED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.accounting.times.ranks import Rank, Seconds
    from dsv3calc.schema.layout import Layout

_BUBBLES: dict[str, Callable[..., Any]] = {
    "gpipe": bubbles.bubble_1f1b,
    "1f1b": bubbles.bubble_1f1b,
    "interleaved": bubbles.bubble_interleaved,
    "zb1p": bubbles.bubble_zb1p,
    "zbv": bubbles.bubble_zbv,
    "dualpipe": bubbles.bubble_dualpipe,
    "dualpipev": bubbles.bubble_dualpipev,
}
"""Schedule -> the formula of its bubble."""

_KINDS = {F: FORWARD, INPUTS: INPUT_GRADIENT, WEIGHTS: WEIGHT_GRADIENT}


def bubble_line(prefix: str, layout: Layout, slowest: Seconds) -> Line:
    """Give the time that ranks are idle, by the closed form of the schedule for equal stages."""
    forward, weights = slowest[FORWARD], slowest[WEIGHT_GRADIENT]
    whole = total(f"{prefix}.slowest.backward", [slowest[INPUT_GRADIENT], weights])
    arguments: dict[str, Any] = {
        "forward_seconds": forward,
        "backward_seconds": whole,
        "weight_seconds": weights,
    }
    if layout.schedule in PAIRED:
        arguments["overlapped_pair_seconds"] = total(f"{prefix}.slowest.pair", [forward, whole])
    scope = ("layout", layout)
    return computed(f"{prefix}.phase.bubble", _BUBBLES[layout.schedule], scope, **arguments)


def paired_line(
    prefix: str, layout: Layout, keys: Sequence[Line], ranks: Sequence[Rank], batches: Line
) -> Line | None:
    """Count the micro-batches of the slowest rank that run as overlapped pairs of passes.

    None where the schedule has no such pairs.
    """
    if layout.schedule not in PAIRED:
        return None
    both = layout.schedule == "dualpipe"
    function = dualpipe.dualpipe_pairs if both else dualpipe.dualpipev_pairs
    pairs = [
        computed(
            f"{prefix}.rank.{number}.pairs",
            function,
            ("layout", layout),
            rank=rank.number,
            micro_batches=batches,
        )
        for number, rank in enumerate(ranks)
    ]
    found = combined(f"{prefix}.slowest.pairs", "at_largest", [*keys, *pairs], unit="1")
    if both:
        return found
    share = given("dualpipev.share", 0.5, "1", "a micro-batch passes both chunks of a rank")
    return combined(f"{prefix}.slowest.paired", "product", (found, share), unit="1")


def phase_lines(
    prefix: str, slowest: Seconds, batches: Line, paired: Line | None
) -> dict[str, Line]:
    """Give the phases in which the slowest rank works: pairs that overlap, and passes alone."""
    names = {"1f": FORWARD, "1b": INPUT_GRADIENT, "1w": WEIGHT_GRADIENT}
    found, alone = {}, batches
    if paired is not None:
        alone = combined(f"{prefix}.slowest.alone", "difference", (batches, paired), unit="1")
        pair = total(f"{prefix}.slowest.pass", [*slowest.values()], unit="s")
        found["1f1b"] = combined(f"{prefix}.phase.1f1b", "product", (pair, paired), unit="s")
    for name, each in names.items():
        parts = (slowest[each], alone)
        found[name] = combined(f"{prefix}.phase.{name}", "product", parts, unit="s")
    return found


def walked(layout: Layout, ranks: Sequence[Rank], batches: Line) -> Walk | None:
    """Run the passes of all ranks by the clock.

    None where the micro-batches are no number, or the passes are too many.
    """
    count = batches.value
    if type(count) is not int or passes_of(layout, count) > MOST_PASSES:
        return None
    stages = [[stage.value for stage in rank.stages] for rank in ranks]
    seconds = [
        [{kind: chunk[each].value for kind, each in _KINDS.items()} for chunk in rank.chunks]
        for rank in ranks
    ]
    return walk(layout.schedule, count, stages, seconds)


def walk_line(prefix: str, found: Walk, keys: Sequence[Line]) -> Line:
    """Give the time from the first pass to the end of the last as a line."""
    return Line(
        f"{prefix}.walk",
        found.seconds,
        "s",
        "walk",
        tuple(keys),
        "each pass starts as soon as its rank is free and its input is available",
    )
