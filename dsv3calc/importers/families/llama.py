"""Llama 1 to 3, Mistral and Mixtral: grouped-query attention, gated feed-forwards, RMS norms.

Read in transformers' modeling_llama.py, modeling_mistral.py and modeling_mixtral.py: Llama's
attention_bias covers all four projections and its mlp_bias all three matrices; Mistral and
Mixtral have no biases, and a sliding window that is null means full attention.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.family import (
    HEAD_DIM_FROM_HEADS,
    KV_HEADS_AS_HEADS,
    Architecture,
    Family,
)

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def heads(reader: Reader, hidden_size: int) -> tuple[int, int, int]:
    """Return heads, key-value heads and the width of a head, which both have defaults."""
    count = reader.size("num_attention_heads")
    key_value = reader.size("num_key_value_heads", computed=count)
    if reader.has("head_dim"):
        return count, key_value, reader.size("head_dim")
    quotient = reader.quotient(hidden_size, "hidden_size", count, "num_attention_heads")
    return count, key_value, reader.size("head_dim", computed=quotient)


def _llama(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    count, key_value, head_dim = heads(reader, hidden_size)
    bias = reader.flag("attention_bias")
    attention = parts.gqa(count, key_value, head_dim, attention_bias=bias, output_bias=bias)
    width = reader.size("intermediate_size")
    feed_forward = parts.dense(width, mlp_bias=reader.flag("mlp_bias"))
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=[feed_forward] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions("max_position_embeddings", "max_sequence_length"),
    )


def _mistral(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    window = reader.optional_size("sliding_window")
    attention = parts.gqa(*heads(reader, hidden_size), sliding_window=window)
    reader.activation("hidden_act")
    if reader.findings.model_type == "mixtral":
        feed_forward = parts.moe(
            reader.size("num_local_experts"),
            reader.size("num_experts_per_tok"),
            reader.size("intermediate_size"),
        )
    else:
        feed_forward = parts.dense(reader.size("intermediate_size"))
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=[feed_forward] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


MISTRAL_VISION = frozenset(
    (
        "image_token_id",
        "image_token_index",
        "multimodal_projector_bias",
        "projector_hidden_act",
        "spatial_merge_size",
        "vision_feature_layer",
    )
)
"""Keys of the projector between Mistral's vision tower and its language model."""

FAMILIES = {
    "llama": Family(
        architectures=("LlamaForCausalLM", "LLaMAForCausalLM"),
        configuration="transformers' LlamaConfig",
        read=_llama,
        defaults={
            "num_key_value_heads": KV_HEADS_AS_HEADS,
            "head_dim": HEAD_DIM_FROM_HEADS,
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": False,
        },
        ignored=frozenset(("is_llama_config",)),
    ),
    "mistral": Family(
        architectures=("MistralForCausalLM",),
        configuration="transformers' MistralConfig",
        read=_mistral,
        defaults={
            "head_dim": HEAD_DIM_FROM_HEADS,
            "sliding_window": 4096,
            "tie_word_embeddings": False,
        },
    ),
    "mixtral": Family(
        architectures=("MixtralForCausalLM",),
        configuration="transformers' MixtralConfig",
        read=_mistral,
        defaults={
            "head_dim": HEAD_DIM_FROM_HEADS,
            "sliding_window": None,
            "tie_word_embeddings": False,
        },
        fields={
            "n_routed_experts": "num_local_experts",
            "moe_intermediate_size": "intermediate_size",
        },
    ),
    "mistral3": Family(
        architectures=("Mistral3ForConditionalGeneration",),
        text="mistral",
        other_texts=("ministral3", "mistral4"),
        inner_tie=True,
        vision="pixtral",
        ignored=MISTRAL_VISION,
    ),
}
