"""Mixtures with grouped-query attention: Hunyuan, dots.llm1, ERNIE 4.5, Solar Open, EXAONE, Ling.

Read in transformers' modelling code of each. Hunyuan's lists of one entry a layer must be of equal
entries, its experts have the width intermediate_size, and every layer is a mixture. dots.llm1 and
ERNIE have dense layers first; both routers hold a bias that balances the load. Solar Open, K-EXAONE
and Hunyuan 3 (hy_v3) name their layers' kinds; the latter two norm queries and keys head by head.
Ling 2 (bailing_moe_v2) in its repository's modelling code: dense layers first, a bias of the router
where moe_router_enable_expert_bias says so.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.families.llama import heads
from dsv3calc.importers.family import (
    HEAD_DIM_FROM_HEADS,
    KV_HEADS_AS_HEADS,
    MAIN_MODEL_ALONE,
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


def _listed(reader: Reader) -> Architecture:
    """Read Solar Open, K-EXAONE, Hunyuan 3 and Ling 2, whose dense layers come first."""
    kind = reader.findings.model_type
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    width = heads(reader, hidden_size)
    options: dict[str, Any] = {"qk_norm": "none" if kind == "solar_open" else "head"}
    if kind == "bailing_moe_v2":
        options["qk_norm"] = "head" if reader.flag("use_qk_norm") else "none"
        options["attention_bias"] = reader.flag("use_qkv_bias")
        options["output_bias"] = reader.flag("use_bias")
    elif kind != "exaone_moe":
        bias = reader.flag("attention_bias")
        options |= {"attention_bias": bias, "output_bias": bias}
    if kind != "solar_open" and reader.natural("num_nextn_predict_layers", null=0):
        text = "prediction modules are left out: the library's code has none to check against"
        reader.findings.assumed["num_nextn_predict_layers"] = text
    attention = [parts.gqa(*width, **options)] * depth
    if kind == "exaone_moe":
        attention = _windows(reader, depth, width, options)
    return _model(reader, hidden_size, attention, _experts_after_dense(reader, depth))


def _windows(
    reader: Reader, depth: int, width: tuple[int, int, int], options: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return attention whose layers see a window, all but the last of each pattern."""
    window = reader.optional_size("sliding_window")
    pattern = 1
    value = reader.data.get("sliding_window_pattern")
    if isinstance(value, str) and value == "L" * (len(value) - 1) + "G":
        reader.skip("sliding_window_pattern")
        pattern = len(value)
    elif window is not None:
        pattern = reader.size("sliding_window_pattern")
    reader.skip("sliding_window_pattern")
    types = layer_list(
        reader,
        "layer_types",
        depth,
        ("full_attention", "sliding_attention"),
        lambda layer: "sliding_attention" if (layer + 1) % pattern else "full_attention",
    )
    kinds = {
        "full_attention": parts.gqa(*width, **options),
        "sliding_attention": parts.gqa(*width, sliding_window=window, **options),
    }
    return parts.spread(kinds, types)


def _experts_after_dense(reader: Reader, depth: int) -> list[dict[str, Any]]:
    """Return the feed-forwards: dense ones first, or as a list of their kinds says."""
    kind = reader.findings.model_type
    count = ("num_experts", "n_routed_experts")
    shared = ("num_shared_experts", "n_shared_experts")
    if kind == "solar_open":
        count, shared = count[::-1], shared[::-1]
    groups = (1, 1)
    if kind != "hy_v3":
        groups = (reader.size("n_group", computed=1), reader.size("topk_group", computed=1))
    more: dict[str, Any] = {}
    routing_bias = True
    if kind == "bailing_moe_v2":
        routing_bias = reader.flag("moe_router_enable_expert_bias")
        if reader.has("moe_shared_expert_intermediate_size"):
            width = reader.size("moe_shared_expert_intermediate_size")
            more["shared_expert_intermediate_size"] = width
        reader.skip("moe_shared_expert_intermediate_size")
    number = reader.size(*shared)
    if more:  # the width of all shared experts together
        number = 1
    experts = parts.moe(
        reader.size(*count),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=number,
        groups=groups,
        routing_bias=routing_bias,
        **more,
    )
    first = 0 if kind == "solar_open" else reader.natural("first_k_dense_replace")
    types = ["sparse" if layer >= first else "dense" for layer in range(depth)]
    if reader.has("mlp_layer_types"):
        types = layer_list(reader, "mlp_layer_types", depth, ("dense", "sparse"))
    reader.skip("mlp_layer_types", "intermediate_size")
    if "dense" not in types:
        return [experts] * depth
    return parts.spread(
        {"dense": parts.dense(reader.size("intermediate_size")), "sparse": experts}, types
    )


FAMILIES = {
    "solar_open": Family(
        architectures=("SolarOpenForCausalLM",),
        configuration="transformers' SolarOpenConfig",
        read=_listed,
        defaults={
            "attention_bias": False,
            "head_dim": 128,
            "n_group": 1,
            "tie_word_embeddings": False,
            "topk_group": 1,
        },
        ignored=frozenset(("routed_scaling_factor", "first_k_dense_replace")),
        fixed={"use_qk_norm": (False,)},
        fields={"n_routed_experts": "n_routed_experts"},
    ),
    "exaone_moe": Family(
        architectures=("ExaoneMoeForCausalLM",),
        configuration="transformers' ExaoneMoeConfig",
        read=_listed,
        defaults={
            "first_k_dense_replace": 1,
            "head_dim": HEAD_DIM_FROM_HEADS,
            "layer_types": Computed(
                "the last of each sliding_window_pattern layers attends to all tokens"
            ),
            "n_group": 1,
            "num_nextn_predict_layers": MAIN_MODEL_ALONE,
            "sliding_window": 4096,
            "sliding_window_pattern": 4,
            "tie_word_embeddings": False,
            "topk_group": 1,
        },
        ignored=frozenset(
            (
                "mtp_loss_scaling_factor",
                "routed_scaling_factor",
                "scoring_func",
                "topk_method",
                "is_moe_layer",
                "reuse_mtp_layer",
                "mtp_share_layers",
            )
        ),
        fields={"n_routed_experts": "num_experts", "n_shared_experts": "num_shared_experts"},
    ),
    "hy_v3": Family(
        architectures=("HYV3ForCausalLM",),
        configuration="transformers' HYV3Config",
        read=_listed,
        defaults={
            "attention_bias": False,
            "first_k_dense_replace": Computed("transformers' code has one dense layer", 1),
            "head_dim": HEAD_DIM_FROM_HEADS,
            "num_nextn_predict_layers": MAIN_MODEL_ALONE,
            "tie_word_embeddings": False,
        },
        ignored=frozenset(("enable_moe_fp32_combine", "router_scaling_factor")),
        fields={"n_routed_experts": "num_experts", "n_shared_experts": "num_shared_experts"},
    ),
    "bailing_moe_v2": Family(
        architectures=("BailingMoeV2ForCausalLM",),
        configuration="Ling 2.0's BailingMoeV2Config",
        read=_listed,
        defaults={
            "head_dim": HEAD_DIM_FROM_HEADS,
            "moe_router_enable_expert_bias": False,
            "n_group": 1,
            "num_nextn_predict_layers": MAIN_MODEL_ALONE,
            "tie_word_embeddings": False,
            "topk_group": 1,
            "use_bias": False,
            "use_qk_norm": False,
            "use_qkv_bias": False,
        },
        ignored=frozenset(
            (
                "embedding_dropout",
                "max_window_layers",
                "moe_router_topk_scaling_factor",
                "mtp_loss_scaling_factor",
                "norm_head",
                "norm_softmax",
                "output_dropout",
                "routed_scaling_factor",
                "rotary_type",
                "router_dtype",
                "score_function",
                "use_rmsnorm",
            )
        ),
        fixed={"use_sliding_window": (False,)},
        fields={"n_routed_experts": "num_experts", "n_shared_experts": "num_shared_experts"},
    ),
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
