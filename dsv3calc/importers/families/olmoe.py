"""OLMoE: grouped-query attention with norms over whole projections, experts in every layer.

Read in transformers' modeling_olmoe.py: a head is hidden_size / num_attention_heads wide;
attention_bias covers all four projections; query and key norms span the whole projection.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.family import KV_HEADS_AS_HEADS, Architecture, Family

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _olmoe(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    heads = reader.size("num_attention_heads")
    bias = reader.flag("attention_bias")
    attention = parts.gqa(
        heads,
        reader.size("num_key_value_heads", computed=heads),
        reader.quotient(hidden_size, "hidden_size", heads, "num_attention_heads"),
        attention_bias=bias,
        output_bias=bias,
        qk_norm="hidden",
    )
    experts = parts.moe(
        reader.size("num_experts", "num_local_experts"),
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
        max_position_embeddings=reader.positions(),
    )


FAMILIES = {
    "olmoe": Family(
        architectures=("OlmoeForCausalLM",),
        configuration="transformers' OlmoeConfig",
        read=_olmoe,
        defaults={
            "attention_bias": False,
            "num_key_value_heads": KV_HEADS_AS_HEADS,
            "tie_word_embeddings": False,
        },
        ignored=frozenset(("clip_qkv",)),
        fields={"n_routed_experts": "num_experts", "moe_intermediate_size": "intermediate_size"},
    )
}
