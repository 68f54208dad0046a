"""Llama 4: chunked attention with full layers between, one shared expert, dense layers between.

Read in transformers' modeling_llama4.py and configuration_llama4.py: experts and the shared
expert are intermediate_size wide, dense layers intermediate_size_mlp; the layers without rotary
positions (a 0 in no_rope_layers, else every no_rope_layer_interval-th) see everything; the
query-key norm has no weights; there are no biases.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.family import Architecture, Family
from dsv3calc.importers.layer_keys import layer_indices, layer_list

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_FULL, _CHUNKED = "full_attention", "chunked_attention"


def _rotary(reader: Reader, depth: int) -> list[int]:
    """Return 1 for each layer with rotary positions, 0 for each without."""
    if reader.data.get("no_rope_layers") not in ([], None):
        reader.skip("no_rope_layer_interval")
        return layer_list(reader, "no_rope_layers", depth, (0, 1))
    reader.skip("no_rope_layers")
    interval = reader.size("no_rope_layer_interval")
    return [int((layer + 1) % interval != 0) for layer in range(depth)]


def _attention(reader: Reader, depth: int) -> list[dict[str, Any]]:
    width = (
        reader.size("num_attention_heads"),
        reader.size("num_key_value_heads"),
        reader.size("head_dim"),
    )
    chunk = reader.optional_size("attention_chunk_size")
    bias = reader.flag("attention_bias")
    options: dict[str, Any] = {"attention_bias": bias, "output_bias": bias}
    kinds = {
        _FULL: parts.gqa(*width, **options),
        _CHUNKED: parts.gqa(*width, attention_chunk_size=chunk, **options),
    }
    if reader.has("layer_types"):
        reader.skip("no_rope_layers", "no_rope_layer_interval")
        return parts.spread(kinds, layer_list(reader, "layer_types", depth, (_FULL, _CHUNKED)))
    reader.skip("layer_types")
    return [kinds[_CHUNKED if rotary else _FULL] for rotary in _rotary(reader, depth)]


def _feed_forward(reader: Reader, depth: int) -> list[dict[str, Any]]:
    experts = parts.moe(
        reader.size("num_local_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("intermediate_size"),
        n_shared_experts=1,
    )
    dense = parts.dense(reader.size("intermediate_size_mlp"))
    chosen = None
    if reader.has("moe_layers"):
        reader.skip("interleave_moe_layer_step")
        chosen = layer_indices(reader, "moe_layers", depth)
    if chosen is None:
        reader.skip("moe_layers")
        step = 1 if reader.has("moe_layers") else reader.size("interleave_moe_layer_step")
        chosen = set(range(step - 1, depth, step))
    return [experts if layer in chosen else dense for layer in range(depth)]


def _llama4(reader: Reader) -> Architecture:
    depth = reader.depth()
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=_attention(reader, depth),
        feed_forward=_feed_forward(reader, depth),
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


FAMILIES = {
    "llama4_text": Family(
        architectures=("Llama4ForCausalLM",),
        configuration="transformers' Llama4TextConfig",
        read=_llama4,
        defaults={
            "attention_bias": False,
            "attention_chunk_size": 8192,
            "interleave_moe_layer_step": 1,
            "no_rope_layer_interval": 4,
            "tie_word_embeddings": False,
        },
        ignored=frozenset(["attn_scale", "attn_temperature_tuning", "floor_scale", "use_qk_norm"]),
        fields={
            "n_routed_experts": "num_local_experts",
            "moe_intermediate_size": "intermediate_size",
        },
    ),
    "llama4": Family(
        architectures=("Llama4ForConditionalGeneration",),
        text="llama4_text",
        ignored=frozenset(["boi_token_index", "eoi_token_index", "image_token_index"]),
    ),
}
