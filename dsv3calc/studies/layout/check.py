"""Whether the experts and the widths of a model's feed-forwards divide among a layout's GPUs."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.placement.expert_slots import expert_slots, shared_slots
from dsv3calc.model.architecture import architecture_of, experts_of
from dsv3calc.studies.layout.build import Problem, divided_widths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model, MoE


def feed_forward_problems(model: Model, layout: Layout) -> Iterator[Problem]:
    """Yield experts that ep or etp does not divide, and widths that tp does not."""
    yield from etp_problems(model, layout)
    yield from expert_problems(model, layout)
    yield from width_problems(model, layout)


def decode_problems(model: Model, layout: Layout) -> Iterator[Problem]:
    """Yield caches that fewer GPUs hold alike than decode context parallelism takes."""
    for view in architecture_of(model).groups:
        if not view.attention.cache("latent"):
            continue
        heads = view.attention.key_value_heads
        alike = layout.tp if heads is None else layout.tp // min(heads.value, layout.tp)
        if layout.dcp > 1 and alike % layout.dcp:
            held = "no two GPUs hold" if alike == 1 else f"{alike:,} GPUs hold"
            heads_ = f"{heads.value:,} key-value heads" if heads is not None else "the latent"
            possible = "dcp 1 alone" if alike == 1 else f"a dcp that divides {alike:,}"
            what = f"dcp {layout.dcp:,}: with {heads_} on tp {layout.tp:,}, {held} the same cache"
            why = f"it divides what tensor parallelism would replicate: {possible} is possible here"
            yield what, why
            return


def expert_problems(model: Model, layout: Layout) -> Iterator[Problem]:
    """Yield places of experts that the expert-parallel GPUs do not share."""
    for moe in experts_of(model):
        yield from _place_problems(moe, layout)


def etp_problems(model: Model, layout: Layout) -> Iterator[Problem]:
    """Yield widths of experts that etp does not divide."""
    for width in dict.fromkeys(moe.moe_intermediate_size for moe in experts_of(model)):
        if width % layout.etp:
            yield (
                f"an expert {width:,} wide does not divide among etp {layout.etp:,}",
                "the GPUs that share an expert hold equal parts of it",
            )


def width_problems(model: Model, layout: Layout) -> Iterator[Problem]:
    """Yield widths of feed-forwards that tp does not divide."""
    for whose, width, spans in divided_widths(model, layout):
        parts = layout.tp * layout.dp if spans else layout.tp
        if width % parts:
            words = f"tp {layout.tp:,} x dp {layout.dp:,}" if spans else f"tp {layout.tp:,}"
            yield (
                f"{whose} feed-forward, {width:,} wide, does not divide among {words}",
                "tensor parallelism divides its width into equal parts",
            )


def _place_problems(moe: MoE, layout: Layout) -> Iterator[Problem]:
    """Yield places of experts that the GPUs do not share; a routed shared expert takes some."""
    shared, slots = shared_slots(moe, layout), expert_slots(moe, layout)
    replicas = slots - moe.n_routed_experts
    most = moe.n_routed_experts * (layout.ep - 1) + shared
    if replicas > most:
        yield (
            f"{_counted(replicas, 'redundant expert')} on {_counted(layout.ep, 'GPU')}",
            f"a GPU holds each expert at most once: at most {most:,} additional replicas",
        )
    if slots % layout.ep == 0:
        return
    words = f"{moe.n_routed_experts:,} experts"
    if shared:
        words += f" and {_counted(shared, 'routed shared one')}"
    if replicas > shared:
        words += f" and {_counted(replicas - shared, 'redundant one')}"
    yield (
        f"{words} do not divide among ep {layout.ep:,}",
        "every GPU of the group holds as many experts",
    )


def _counted(number: int, words: str) -> str:
    return f"{number:,} {words}{'s' if number > 1 else ''}"
