"""MiMo-V2-Flash: heads of 192 and values of 128, windows with twice the key-value heads and sinks.

Read in transformers' modeling_mimo_v2_flash.py and configuration_mimo_v2_flash.py: a query of a
sliding layer sees sliding_window_size tokens before it, and itself; sinks stand in these layers
alone. The published prediction modules are not named in the file and not counted.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.family import Architecture, Computed, Family
from dsv3calc.importers.layer_keys import layer_list

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_FULL, _SLIDING = "full_attention", "sliding_attention"


def _layer_types(reader: Reader, depth: int) -> list[str]:
    if reader.has("hybrid_layer_pattern"):
        reader.skip("layer_types")
        marks = layer_list(reader, "hybrid_layer_pattern", depth, (0, 1))
        return [_SLIDING if mark else _FULL for mark in marks]
    reader.skip("hybrid_layer_pattern")
    return layer_list(
        reader,
        "layer_types",
        depth,
        (_FULL, _SLIDING),
        lambda layer: _SLIDING if layer and (layer + 1) % 6 else _FULL,
    )


def _window(reader: Reader) -> int:
    """Return the keys that a query sees: one more than the tokens before it, as the file counts."""
    if reader.has("sliding_window_size"):
        reader.skip("sliding_window")
        return reader.size("sliding_window_size") + 1
    reader.skip("sliding_window_size")
    return reader.size("sliding_window")


def _attention(reader: Reader) -> dict[str, dict[str, Any]]:
    """Return both kinds of attention by the name of their layers' type."""
    bias = reader.flag("attention_bias")
    heads, key_value = reader.size("num_attention_heads"), reader.size("num_key_value_heads")
    width, value = reader.size("head_dim"), reader.size("v_head_dim")
    options: dict[str, Any] = {"attention_bias": bias}
    full = parts.gqa(
        heads,
        key_value,
        width,
        v_head_dim=value,
        attention_sinks=reader.flag("add_full_attention_sink_bias"),
        **options,
    )
    sliding = parts.gqa(
        reader.size("swa_num_attention_heads", computed=heads),
        reader.size("swa_num_key_value_heads", computed=2 * key_value),
        reader.size("swa_head_dim", computed=width),
        v_head_dim=reader.size("swa_v_head_dim", computed=value),
        attention_sinks=reader.flag("add_swa_attention_sink_bias"),
        sliding_window=_window(reader),
        **options,
    )
    return {_FULL: full, _SLIDING: sliding}


def _feed_forward(reader: Reader, depth: int) -> list[dict[str, Any]]:
    experts = parts.moe(
        reader.size("n_routed_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=reader.natural("n_shared_experts", null=0),
        groups=(reader.size("n_group"), reader.size("topk_group")),
        routing_bias=True,
    )
    dense = parts.dense(reader.size("intermediate_size"))
    if reader.has("moe_layer_freq"):
        reader.skip("mlp_layer_types")
        marks = layer_list(reader, "moe_layer_freq", depth, (0, 1))
        return [experts if mark else dense for mark in marks]
    reader.skip("moe_layer_freq")
    types = layer_list(
        reader,
        "mlp_layer_types",
        depth,
        ("dense", "sparse"),
        lambda layer: "sparse" if layer else "dense",
    )
    return parts.spread({"dense": dense, "sparse": experts}, types)


def _mimo(reader: Reader) -> Architecture:
    depth = reader.depth()
    reader.activation("hidden_act")
    reader.choice("topk_method", "noaux_tc")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=parts.spread(_attention(reader), _layer_types(reader, depth)),
        feed_forward=_feed_forward(reader, depth),
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


FAMILIES = {
    "mimo_v2_flash": Family(
        architectures=("MiMoV2FlashForCausalLM",),
        configuration="transformers' MiMoV2FlashConfig",
        read=_mimo,
        defaults={
            "add_full_attention_sink_bias": Computed("as in the modelling code", value=False),
            "add_swa_attention_sink_bias": Computed("as in the modelling code", value=True),
            "attention_bias": False,
            "layer_types": Computed("the first and every sixth layer attend to all tokens"),
            "mlp_layer_types": Computed("the first layer is dense, the others are mixtures"),
            "n_group": 1,
            "n_shared_experts": None,
            "sliding_window": 129,
            "swa_head_dim": Computed("head_dim, as in the modelling code"),
            "swa_num_attention_heads": Computed("num_attention_heads, as in the modelling code"),
            "swa_num_key_value_heads": Computed("twice num_key_value_heads, as in the code"),
            "swa_v_head_dim": Computed("v_head_dim, as in the modelling code"),
            "tie_word_embeddings": False,
            "topk_group": 1,
            "topk_method": Computed("transformers' code always does this", "noaux_tc"),
        },
        ignored=frozenset(
            [
                "attention_chunk_size",
                "attention_value_scale",
                "layernorm_epsilon",
                "norm_topk_prob",
                "routed_scaling_factor",
                "scoring_func",
                "swa_rope_theta",
            ]
        ),
    )
}
