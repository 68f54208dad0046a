"""Granite 3's mixtures of experts, and Arcee's AFMoE (Trinity).

Read in transformers' modeling_granitemoe.py, _granitemoeshared.py and _afmoe.py: Granite's experts
stand in every layer, with a shared one of shared_intermediate_size under granitemoeshared. AFMoE
has four norms in a layer, norms of queries and keys head by head, a gate of every channel of the
attention's output, dense layers first, and a routing bias; the last of every
global_attn_every_n_layers attends to all tokens.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.families.llama import heads
from dsv3calc.importers.family import (
    HEAD_DIM_FROM_HEADS,
    KV_HEADS_AS_HEADS,
    Architecture,
    Computed,
    Family,
)
from dsv3calc.importers.layer_keys import layer_list

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_FULL, _SLIDING = "full_attention", "sliding_attention"


def _granite(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    bias = reader.flag("attention_bias")
    attention = parts.gqa(*heads(reader, hidden_size), attention_bias=bias, output_bias=bias)
    shared = 0
    if reader.findings.model_type == "granitemoeshared":
        shared = reader.natural("shared_intermediate_size")
    experts = parts.moe(
        reader.size("num_local_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("intermediate_size"),
        n_shared_experts=1 if shared else 0,
        shared_expert_intermediate_size=shared or None,
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


def _afmoe(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    width, bias = heads(reader, hidden_size), reader.flag("attention_bias")
    every = reader.size("global_attn_every_n_layers")
    types = layer_list(
        reader,
        "layer_types",
        depth,
        (_FULL, _SLIDING),
        lambda layer: _SLIDING if (layer + 1) % every else _FULL,
    )
    windows = {_FULL: None, _SLIDING: reader.size("sliding_window")}
    kinds = {
        name: parts.gqa(
            *width,
            attention_bias=bias,
            output_bias=bias,
            qk_norm="head",
            output_gate="channel",
            sliding_window=window,
        )
        for name, window in windows.items()
    }
    first = reader.natural("num_dense_layers")
    dense = parts.dense(reader.size("intermediate_size"))
    groups = reader.size("n_group", computed=1), reader.size("topk_group", computed=1)
    experts = parts.moe(
        reader.size("num_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=reader.natural("num_shared_experts"),
        groups=groups,
        routing_bias=True,
    )
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=parts.spread(kinds, types),
        feed_forward=[dense if layer < first else experts for layer in range(depth)],
        block_norms=4,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


_DEFAULTS = {
    "attention_bias": False,
    "head_dim": HEAD_DIM_FROM_HEADS,
    "num_key_value_heads": KV_HEADS_AS_HEADS,
    "tie_word_embeddings": False,
}
_MULTIPLIERS = frozenset(
    (
        "attention_multiplier",
        "embedding_multiplier",
        "logits_scaling",
        "residual_multiplier",
    )
)


def _family(model: str) -> Family:
    return Family(
        architectures=(f"{model}ForCausalLM",),
        configuration=f"transformers' {model}Config",
        read=_granite,
        defaults=_DEFAULTS | {"shared_intermediate_size": 0},
        ignored=_MULTIPLIERS,
        fields={
            "n_routed_experts": "num_local_experts",
            "moe_intermediate_size": "intermediate_size",
        },
    )


FAMILIES = {
    "granitemoe": _family("GraniteMoe"),
    "granitemoeshared": _family("GraniteMoeShared"),
    "afmoe": Family(
        architectures=("AfmoeForCausalLM",),
        configuration="transformers' AfmoeConfig",
        read=_afmoe,
        defaults=_DEFAULTS
        | {
            "global_attn_every_n_layers": 4,
            "head_dim": 128,
            "layer_types": Computed(
                "the last of every global_attn_every_n_layers attends to all tokens"
            ),
            "n_group": Computed("the code has no groups", 1),
            "num_dense_layers": 1,
            "num_shared_experts": 2,
            "sliding_window": 1024,
            "topk_group": Computed("the code has no groups", 1),
        },
        ignored=frozenset(
            (
                "load_balance_coeff",
                "mup_enabled",
                "num_expert_groups",
                "num_limited_groups",
                "route_norm",
                "route_scale",
                "score_func",
                "use_grouped_mm",
            )
        ),
        fields={"n_routed_experts": "num_experts", "n_shared_experts": "num_shared_experts"},
    ),
}
