"""What the experts of each pipeline stage send, by the layers that the layout puts on it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.placement.schedules import chunks_of
from dsv3calc.accounting.placement.stages import Stages
from dsv3calc.accounting.traffic.exchange import LINKS
from dsv3calc.ledger.line import Line, combined, given, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model


def layers_by_stage(
    model: Model, layout: Layout, views: Sequence[GroupView], *, with_mtp: bool
) -> list[Line]:
    """Count the layers with experts of each stage of the layout's layer split.

    Returns
    -------
    Lines ``traffic.stage.N.moe_layers`` [1], of virtual stages where a rank holds several; nothing
    where there is one rank, or their number is an array or a symbol.
    """
    if type(layout.pp) is not int or layout.pp == 1:
        return []
    split = Stages("traffic.split", model, layout, mtp=with_mtp)
    groups = [*split.groups, *([split.mtp] if split.mtp is not None else [])]
    chosen = [groups.index(view) for view in views]
    found = []
    for number in range(split.number.value):
        name = f"traffic.stage.{number}"
        layers = split.layers(name, given(f"{name}.number", number, "1"))
        found.append(total(f"{name}.moe_layers", [layers[index] for index in chosen], unit="1"))
    return found


def stage_lines(
    layout: Layout,
    layers: Sequence[Line],
    one_layer: dict[str, Line],
    tokens: Line,
    steps: Line | None,
    words: str,
) -> list[Line]:
    """Count the bytes of each stage, and of the pipeline rank that sends most.

    Parameters
    ----------
    layout
        Its schedule says which stages a rank holds.
    layers
        What :func:`layers_by_stage` returns.
    one_layer
        Bytes of a token in one layer, by link.
    tokens, steps
        Tokens of a GPU in a micro-batch; micro-batches of a step, None where none is counted.
    words
        Which passes are counted.

    Returns
    -------
    Lines ``traffic.stage.N.moe_layers`` [1] and ``traffic.stage.N.micro_batch.LINK_bytes`` [B], and
    ``traffic.busiest.moe_layers``, ``.micro_batch.LINK_bytes`` and ``.step.LINK_bytes``.
    """
    if not layers:
        return []
    found = []
    for stage, here in enumerate(layers):
        passing = f"one GPU, a micro-batch that passes the stage, {words}"
        found += [here, *_sent(f"traffic.stage.{stage}", one_layer, (tokens, here), passing)]
    ranks = [_layers_of_rank(layout, layers, rank) for rank in range(layout.pp)]
    most = max(ranks, key=lambda line: line.value)
    batch = _sent("traffic.busiest", one_layer, (tokens, most), f"{most.convention}; {words}")
    found += [most, *batch]
    if steps is None:
        return found
    return found + [
        combined(
            f"traffic.busiest.step.{link}_bytes",
            "product",
            (line, steps),
            unit="B",
            convention=f"{most.convention}; one training step, {words}",
        )
        for link, line in zip(LINKS, batch, strict=True)
    ]


def _sent(
    prefix: str, one_layer: dict[str, Line], factors: Sequence[Line], convention: str
) -> list[Line]:
    """Count the bytes of a micro-batch on each link: those of a token and layer by the factors."""
    return [
        combined(
            f"{prefix}.micro_batch.{link}_bytes",
            "product",
            (one_layer[link], *factors),
            unit="B",
            convention=convention,
        )
        for link in LINKS
    ]


def _layers_of_rank(layout: Layout, layers: Sequence[Line], rank: int) -> Line:
    """Count the layers of a rank that a micro-batch passes: under DualPipe one stage of two."""
    stages = chunks_of(f"traffic.rank.{rank}", layout, given("pipeline.rank", rank, "1"))
    held = [layers[stage.value] for stage in stages]
    name, words = "traffic.busiest.moe_layers", f"one GPU of pipeline rank {rank}, the busiest"
    if layout.schedule != "dualpipe":
        return total(name, held, unit="1", convention=words)
    share = given("dualpipe.share", 0.5, "ratio", "a micro-batch passes one of the two stages")
    parts = [part for line in held for part in (share, line)]
    return combined(name, "sum_of_products", parts, unit="1", convention=words)
