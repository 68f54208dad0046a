"""How libraries and papers count memory where they differ from this project's way."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import msgspec

from dsv3calc.accounting.sharding import Rules


class Library(msgspec.Struct, frozen=True):
    """A way of counting memory: what it fixes of a query, and how it divides tensors.

    ``beside`` says that its figures are shown beside ours, line by line.
    """

    name: str
    words: str
    source: str
    fixes: dict[str, Any] = {}
    rules: Rules = Rules()
    beside: bool = False


LIBRARIES = {
    each.name: each
    for each in (
        Library(
            "mem-2502.07846",
            "training memory as that paper counts it: the rotary part of MLA's queries on every "
            "tensor-parallel GPU, shared experts whole on each, router and shared experts sharded "
            "over the experts' replicas, BF16 weights, FP32 gradients, 8 bytes of optimizer states",
            "arXiv:2502.07846, read second-hand; its figures are reproduced to the byte",
            {
                "precision": "bf16",
                "recipe": "bf16-moments",
                "shared_experts": "replicated",
            },
            Rules(replicated_query_rope=True, experts_block_over_edp=True),
        ),
        Library(
            "megatron",
            "what Megatron-LM's report_theoretical_memory would print, beside ours: an average "
            "stage, every layer dense in its activations",
            "NVIDIA/Megatron-LM, megatron/training/theoretical_memory_usage.py at d98e8a64",
            beside=True,
        ),
    )
}
"""What ``memory --as`` names."""
