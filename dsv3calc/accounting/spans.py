"""Which closed form counts a layer's (query, key) pairs, and which tokens its cache keeps."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import attention, compressed_attention, compression, windowed_attention
from dsv3calc.ledger.line import Line, computed

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator
    from dsv3calc.schema.workload import Conventions, Workload

CHANNEL_FLOPS: dict[str, dict[str, Callable[..., Any]]] = {
    "full": {
        "full": attention.full_channel_flops,
        "causal": attention.causal_channel_flops,
        "half": attention.half_channel_flops,
        "clamped": attention.full_channel_flops,
    },
    "sliding": {
        "full": windowed_attention.window_full_channel_flops,
        "causal": windowed_attention.window_causal_channel_flops,
        "half": windowed_attention.window_half_channel_flops,
        "clamped": windowed_attention.selected_full_channel_flops,
    },
    "chunked": {
        "full": windowed_attention.window_full_channel_flops,
        "causal": windowed_attention.chunk_causal_channel_flops,
        "half": windowed_attention.chunk_half_channel_flops,
        "clamped": windowed_attention.selected_full_channel_flops,
    },
    "selected": {
        "full": windowed_attention.selected_full_channel_flops,
        "causal": windowed_attention.window_causal_channel_flops,
        "half": windowed_attention.window_half_channel_flops,
    },
    "compressed": {
        "full": compressed_attention.compressed_full_channel_flops,
        "causal": compressed_attention.compressed_causal_channel_flops,
        "half": compressed_attention.compressed_half_channel_flops,
    },
    "selected-entries": {
        "full": compressed_attention.selected_entries_full_channel_flops,
        "causal": compressed_attention.selected_entries_causal_channel_flops,
        "half": compressed_attention.selected_entries_half_channel_flops,
    },
    "own-token": dict.fromkeys(("full", "causal", "half"), compression.mixing_channel_flops),
}
"""Span of a layer -> way of counting -> formula."""


def full_channel_flops_line(workload: Workload, count: str) -> Line:
    """Count one channel's FLOPs of layers that see everything before them."""
    return computed(
        f"channel_flops.{count}",
        CHANNEL_FLOPS["full"][count],
        ("workload", workload),
        convention=f"attention {count}",
    )


def channel_flops_line(
    workload: Workload, conventions: Conventions, view: GroupView, count: str
) -> Line:
    """Count one channel's FLOPs of a layer group of limited span."""
    span, size = view.attention.span(conventions)
    if span not in CHANNEL_FLOPS:
        raise view.attention.refusal(f"the (query, key) pairs of the span '{span}'")
    if count not in CHANNEL_FLOPS[span]:
        raise view.attention.refusal(f"--attention {count} of the span '{span}'")
    function = CHANNEL_FLOPS[span][count]
    bound = "chunk" if function.__name__.startswith("chunk") else "window"
    arguments: dict[str, Any] = {bound: size}
    return computed(
        f"{view.prefix}.channel_flops.{count}",
        function,
        ("workload", workload),
        convention=f"attention {count}",
        **arguments,
    )


def core_flops_line(
    workload: Workload, conventions: Conventions, view: GroupView, operator: Operator, count: str
) -> Line:
    """Count one channel's FLOPs of a core that has a span of its own."""
    assert operator.core is not None  # noqa: S101 - the caller asked
    assert operator.core.span is not None  # noqa: S101 - the caller asked
    span, given = operator.core.span(conventions)
    if count not in CHANNEL_FLOPS[span]:
        raise view.attention.refusal(f"--attention {count} of the span '{span}'")
    arguments: dict[str, Any] = dict(given)
    return computed(
        f"{view.prefix}.{operator.name}.channel_flops.{count}",
        CHANNEL_FLOPS[span][count],
        ("workload", workload),
        convention=f"attention {count}",
        **arguments,
    )
