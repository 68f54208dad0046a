"""Phi-3.5-MoE: layer norms with biases, biases in attention and head, experts in every layer.

Read in transformers' modeling_phimoe.py: attention_bias covers all four projections, lm_head_bias
the head; all norms are LayerNorms with weight and bias; router and experts have no biases.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.families.llama import heads
from dsv3calc.importers.family import HEAD_DIM_FROM_HEADS, Architecture, Family

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _phimoe(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    bias = reader.flag("attention_bias")
    attention = parts.gqa(
        *heads(reader, hidden_size),
        attention_bias=bias,
        output_bias=bias,
        sliding_window=reader.optional_size("sliding_window"),
    )
    experts = parts.moe(
        reader.size("num_local_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("intermediate_size"),
    )
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=[experts] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        head_bias=reader.flag("lm_head_bias"),
        norm="layer",
        norm_bias=True,
        max_position_embeddings=reader.positions(),
    )


FAMILIES = {
    "phimoe": Family(
        architectures=("PhimoeForCausalLM", "PhiMoEForCausalLM"),
        configuration="transformers' PhimoeConfig",
        read=_phimoe,
        defaults={
            "attention_bias": False,
            "head_dim": HEAD_DIM_FROM_HEADS,
            "lm_head_bias": False,
            "sliding_window": None,
            "tie_word_embeddings": False,
        },
        ignored=frozenset(("expert_dropout", "input_jitter_noise")),
        fields={
            "n_routed_experts": "num_local_experts",
            "moe_intermediate_size": "intermediate_size",
        },
    )
}
