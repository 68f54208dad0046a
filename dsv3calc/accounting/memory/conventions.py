"""How libraries and papers count memory where they differ from this project's way."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import msgspec

from dsv3calc.accounting.memory.sharding import Rules
from dsv3calc.accounting.memory.states import COMPUTE_COPIES
from dsv3calc.model.saved import MODULES


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
            "over the experts' replicas, no routing bias, BF16 weights, FP32 gradients, 8 bytes of "
            "optimizer states; its activations are --recompute mem-2502.07846 and "
            "mem-2502.07846-full",
            "arXiv:2502.07846, read second-hand; the bytes of a device's weights are equal, twelve "
            "figures in GB agree to the printed digits, 21.44 GB of an MoE layer does not (21.43)",
            {
                "precision": "bf16",
                "recipe": "bf16-moments",
                "shared_experts": "replicated",
            },
            Rules(replicated_query_rope=True, experts_block_over_edp=True, no_routing_bias=True),
        ),
        Library(
            "megatron",
            "the output of Megatron-LM's report_theoretical_memory beside ours: an average "
            "stage, activations of every layer counted as dense",
            "NVIDIA/Megatron-LM, megatron/training/theoretical_memory_usage.py at d98e8a64",
            beside=True,
        ),
    )
}
"""What ``memory --as`` names."""


MEMORY_CHOICES: dict[str, tuple[str, dict[str, str]]] = {
    "layer_split": (
        "memory --layer-split",
        {
            "even": "layers are split evenly; the first stages have one more if needed",
            "balanced": "as even, with embedding and head counted as one layer each",
            "a list": "the layers of each stage: 4*15,1 has fifteen stages of four and one of one",
        },
    ),
    "compute_copy": ("memory --compute-copy", COMPUTE_COPIES),
    "recomputed": ("memory --recompute", MODULES),
    "attention_kernel": (
        "memory --attention-kernel",
        {
            "flash": "a fused kernel keeps one number per token and head (logsumexp)",
            "unfused": "the softmax of every pair is kept, and the mask with --dropout",
        },
    ),
    "routing_weights": (
        "memory --routing-weights",
        {
            "before": "routing weights are applied before the down-projection",
            "after": "they are applied after it, so its outputs are kept",
        },
    ),
    "shards": (
        "memory --padded",
        {
            "exact": "elements divided by GPUs; the mean where they do not divide",
            "padded": "whole elements on every GPU, and a vocabulary in multiples of 128",
        },
    ),
    "mirrored_states": (
        "memory --mirror-optimizer",
        {
            "own": "under DualPipe each rank of a pair has its own shard of optimizer states",
            "shared": "the two ranks of a pair share one shard",
        },
    ),
    "library": (
        "memory --as",
        {each.name: f"{each.words} ({each.source})" for each in LIBRARIES.values()},
    ),
}
"""Convention of ``memory`` -> its option and its choices in words; the default comes first."""

MEMORY_WITHOUT_DEFAULT = ("recomputed", "library", "compute_copy")
"""Those whose default is a preset's, or is to choose none."""
