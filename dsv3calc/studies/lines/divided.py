"""What a number of a query divides: of a degree, the GPUs or the experts that it shares out."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from dsv3calc.accounting.placement.expert_slots import slots_of_layers
from dsv3calc.model.architecture import architecture_of, experts_of
from dsv3calc.studies.lines.open_line import FOLLOWS_FROM_GPUS

if TYPE_CHECKING:
    from dsv3calc.schema.layout import Layout
    from dsv3calc.studies.lines.open_line import OpenLine
    from dsv3calc.studies.lines.quantity import Quantity


def divided_by(traced: OpenLine, unknown: Quantity) -> tuple[int, str] | None:
    """Return what a number divides, as a number and in words; None where that is not known."""
    layout, name = traced.layout, unknown.name
    if unknown.field == "num_key_value_heads":
        views = architecture_of(traced.model).groups
        heads = gcd(*(heads for view in views for heads in view.heads))
        return heads, f"the {heads:,} query heads"
    if layout is None or not unknown.places[0].startswith("layout."):
        return None
    if name in FOLLOWS_FROM_GPUS and "dp" not in traced.hold:
        return layout.gpus, f"the {layout.gpus:,} GPU{'s' if layout.gpus > 1 else ''}"
    if name in ("ep", "etp"):
        return _shared_by_experts(traced, layout, name)
    if name in ("dp", "micro_batch") and layout.global_batch is not None:
        other = "micro_batch" if name == "dp" else "dp"
        share = layout.global_batch // getattr(layout, other)
        return share, f"global_batch / {other} = {share:,}"
    return None


def _shared_by_experts(traced: OpenLine, layout: Layout, name: str) -> tuple[int, str]:
    """Return what ep or etp divides: GPUs of which there are so many, else what it shares out."""
    if not traced.dp_follows_experts:
        gpus = layout.tp * layout.cp * layout.dp
        return gpus, f"the {gpus:,} GPU{'s' if gpus > 1 else ''} of a pipeline stage"
    if name == "ep":
        slots = gcd(*slots_of_layers(traced.model, layout))
        return slots, f"the {slots:,} experts of a layer"
    width = gcd(*(moe.moe_intermediate_size for moe in experts_of(traced.model)))
    return width, f"the {width:,} channels of an expert"
