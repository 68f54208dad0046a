"""DeepSeekMoE (model_type deepseek): grouped-query attention, routed and shared experts.

Read in the repository deepseek-ai/deepseek-moe-16b-base, modeling_deepseek.py: attention_bias
covers all four projections; the feed-forwards have no biases; a layer is a mixture from
first_k_dense_replace on where moe_layer_freq divides its number.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.family import Architecture, Family

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def mixed(
    reader: Reader, depth: int, dense: dict[str, Any], experts: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the feed-forward of each layer: dense ones first, then a mixture at a frequency."""
    first = reader.natural("first_k_dense_replace")
    frequency = reader.size("moe_layer_freq")
    return [
        experts if layer >= first and layer % frequency == 0 else dense for layer in range(depth)
    ]


def _deepseek(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    bias = reader.flag("attention_bias")
    count = reader.size("num_attention_heads")
    attention = parts.gqa(
        count,
        reader.size("num_key_value_heads", computed=count),
        reader.quotient(hidden_size, "hidden_size", count, "num_attention_heads"),
        attention_bias=bias,
        output_bias=bias,
    )
    experts = parts.moe(
        reader.size("n_routed_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=reader.natural("n_shared_experts", null=0),
    )
    dense = parts.dense(reader.size("intermediate_size"))
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=mixed(reader, depth, dense, experts),
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


FAMILIES = {
    "deepseek": Family(
        architectures=("DeepseekForCausalLM",),
        configuration="deepseek-moe-16b's DeepseekConfig",
        read=_deepseek,
        defaults={"attention_bias": False, "moe_layer_freq": 1, "tie_word_embeddings": False},
        ignored=frozenset(("aux_loss_alpha", "scoring_func", "seq_aux")),
    )
}
