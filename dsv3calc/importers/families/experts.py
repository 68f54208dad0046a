"""Mixtures with grouped-query attention: Hunyuan-A13B, dots.llm1 and ERNIE 4.5.

Read in transformers' modelling code of each. Hunyuan's lists of one entry a layer must be of equal
entries, its experts have the width intermediate_size, and every layer is a mixture. dots.llm1 and
ERNIE have dense layers first; both routers hold a bias that balances the load.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _same(reader: Reader, name: str) -> int:
    """Return a size that may be given once or for each layer, all alike."""
    value = reader.data.get(name)
    if not isinstance(value, list):
        return reader.size(name)
    reader.skip(name)
    first = value[0] if value else None
    if isinstance(first, bool) or not isinstance(first, int) or first < 1:
        reader.refuse(name, f"{name} holds {quote(first)}", valid="whole numbers of at least 1")
        return 1
    if any(entry != first for entry in value):
        reader.refuse(name, f"{name} differs from layer to layer", valid="equal entries")
    return first


def _model(
    reader: Reader,
    hidden_size: int,
    attention: list[dict[str, Any]],
    feed_forward: list[dict[str, Any]],
) -> Architecture:
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=attention,
        feed_forward=feed_forward,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


def _hunyuan(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    bias = reader.flag("attention_bias")
    attention = parts.gqa(
        *heads(reader, hidden_size), attention_bias=bias, output_bias=bias, qk_norm="head"
    )
    width = reader.size("intermediate_size")
    given = _same(reader, "moe_intermediate_size") if reader.has("moe_intermediate_size") else width
    if given != width and reader.sound("intermediate_size", "moe_intermediate_size"):
        reader.refuse("moe_intermediate_size", f"{given} beside intermediate_size {width}")
    experts = parts.moe(
        reader.size("num_experts"),
        _same(reader, "moe_topk"),
        width,
        n_shared_experts=_same(reader, "num_shared_expert"),
    )
    return _model(reader, hidden_size, [attention] * depth, [experts] * depth)


def _dots(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    bias = reader.flag("attention_bias")
    window = reader.optional_size("sliding_window")
    first_window = reader.natural("max_window_layers")
    width = heads(reader, hidden_size)
    full, sliding = (
        parts.gqa(
            *width,
            attention_bias=bias,
            output_bias=bias,
            qk_norm="head",
            sliding_window=size,
        )
        for size in (None, window)
    )
    types = layer_list(
        reader,
        "layer_types",
        depth,
        ("full_attention", "sliding_attention"),
        lambda layer: (
            "sliding_attention"
            if window is not None and layer >= first_window
            else "full_attention"
        ),
    )
    experts = parts.moe(
        reader.size("n_routed_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=reader.natural("n_shared_experts", null=0),
        groups=(reader.size("n_group", computed=1), reader.size("topk_group", computed=1)),
        routing_bias=True,
    )
    dense = parts.dense(reader.size("intermediate_size"))
    first = reader.natural("first_k_dense_replace")
    kinds = {"full_attention": full, "sliding_attention": sliding}
    return _model(
        reader,
        hidden_size,
        parts.spread(kinds, types),
        [experts if layer >= first else dense for layer in range(depth)],
    )


def _ernie(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    bias = reader.flag("use_bias")
    attention = parts.gqa(*heads(reader, hidden_size), attention_bias=bias, output_bias=bias)
    experts = parts.moe(
        reader.size("moe_num_experts"),
        reader.size("moe_k"),
        _same(reader, "moe_intermediate_size"),
        n_shared_experts=reader.natural("moe_num_shared_experts"),
        routing_bias=True,
    )
    dense = parts.dense(reader.size("intermediate_size"), mlp_bias=bias)
    first, interval = reader.natural("moe_layer_start_index"), reader.size("moe_layer_interval")
    last = reader.data.get("moe_layer_end_index")
    reader.skip("moe_layer_end_index")
    last = depth - 1 if not isinstance(last, int) or last < 0 else last
    sparse = [first <= layer <= last and not (layer + 1) % interval for layer in range(depth)]
    model = _model(
        reader,
        hidden_size,
        [attention] * depth,
        [experts if chosen else dense for chosen in sparse],
    )
    model.head_bias = bias
    return model


FAMILIES = {
    "hunyuan_v1_moe": Family(
        architectures=("HunYuanMoEV1ForCausalLM",),
        configuration="transformers' HunYuanMoEV1Config",
        read=_hunyuan,
        defaults={
            "attention_bias": False,
            "head_dim": HEAD_DIM_FROM_HEADS,
            "num_key_value_heads": KV_HEADS_AS_HEADS,
            "num_shared_expert": Computed("the modelling code always has one", 1),
            "tie_word_embeddings": False,
        },
        ignored=frozenset(
            (
                "attention_head_dim",
                "capacity_factor",
                "eod_token_id",
                "moe_drop_tokens",
                "moe_random_routing_dropped_token",
                "norm_topk_prob",
                "pad_id",
            )
        ),
        fixed={
            "use_cla": (False,),
            "use_mixed_mlp_moe": (True,),
            "use_mla": (False,),
            "use_qk_norm": (True,),
        },
        fields={"n_routed_experts": "num_experts", "moe_intermediate_size": "intermediate_size"},
    ),
    "dots1": Family(
        architectures=("Dots1ForCausalLM",),
        configuration="transformers' Dots1Config",
        read=_dots,
        defaults={
            "attention_bias": False,
            "head_dim": HEAD_DIM_FROM_HEADS,
            "layer_types": Computed("windows from layer max_window_layers on"),
            "max_window_layers": 62,
            "n_group": 1,
            "num_key_value_heads": KV_HEADS_AS_HEADS,
            "sliding_window": 4096,
            "tie_word_embeddings": False,
            "topk_group": 1,
        },
        ignored=frozenset(("moe_layer_freq", "routed_scaling_factor", "scoring_func")),
    ),
    "ernie4_5_moe": Family(
        architectures=("Ernie4_5_MoeForCausalLM", "Ernie4_5_MoEForCausalLM"),
        configuration="transformers' Ernie4_5_MoeConfig",
        read=_ernie,
        defaults={
            "head_dim": HEAD_DIM_FROM_HEADS,
            "moe_layer_interval": 1,
            "moe_num_shared_experts": 2,
            "num_key_value_heads": KV_HEADS_AS_HEADS,
            "tie_word_embeddings": True,
            "use_bias": False,
        },
        ignored=frozenset(
            (
                "compression_ratio",
                "moe_capacity",
                "moe_gate",
                "moe_norm_min",
                "moe_use_aux_free",
                "num_nextn_predict_layers",
            )
        ),
        fields={
            "n_routed_experts": "moe_num_experts",
            "num_experts_per_tok": "moe_k",
            "n_shared_experts": "moe_num_shared_experts",
        },
    ),
}
