"""DeepSeek-V2, V3, V3.2, Kimi-K2, GLM-4.7-Flash, GLM-5, Mistral Small 4: latents, fine experts.

Read in transformers' modeling_deepseek_v2.py, _v3.py and _v32.py and in the repositories' own
modeling_deepseek.py: attention_bias covers the two down-projections and the output;
num_key_value_heads plays no part; the routing bias is a buffer of the noaux_tc router; V2's
greedy router knows no groups; the multi-token-prediction module repeats the last kind of layer
and is stored with a copy of embedding and head. glm4_moe_lite is V3's layout, and so is mistral4,
without a routing bias; glm_moe_dsa is V3.2's, whose later files name layers that take the keys that
an earlier layer's indexer selected.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.families.deepseek1 import mixed
from dsv3calc.importers.family import (
    KV_HEADS_AS_HEADS,
    MAIN_MODEL_ALONE,
    NO_CHOICE,
    Architecture,
    Computed,
    Family,
)
from dsv3calc.importers.layer_keys import layer_list
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def latent_attention(reader: Reader, v_head_dim: int | None = None) -> dict[str, Any]:
    """Return latent attention, of the keys that DeepSeek gave it.

    ``v_head_dim`` is the width of a value where a file need not say it.
    """
    heads = reader.size("num_attention_heads")
    key_value = reader.size("num_key_value_heads", computed=heads)
    if key_value != heads and reader.sound("num_attention_heads", "num_key_value_heads"):
        reader.refuse(
            "num_key_value_heads",
            f"{key_value} key-value heads for {heads} heads",
            why="every head of latent attention has its own keys and values",
        )
    attention: dict[str, Any] = {
        "type": "mla",
        "num_attention_heads": heads,
        "q_lora_rank": reader.optional_size("q_lora_rank"),
        "kv_lora_rank": reader.size("kv_lora_rank"),
        "qk_nope_head_dim": reader.size("qk_nope_head_dim"),
        "qk_rope_head_dim": reader.size("qk_rope_head_dim"),
        "v_head_dim": reader.size("v_head_dim", computed=v_head_dim),
    }
    if reader.flag("attention_bias"):
        attention["attention_bias"] = True
    if reader.findings.model_type in _INDEXED:
        names = ("index_n_heads", "index_head_dim", "index_topk")
        attention["indexer"] = {name: reader.size(name) for name in names}
    return attention


def with_indexers(reader: Reader, depth: int, attention: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the attention of each layer: with an indexer of its own, or with an earlier one's."""
    shared = attention | {"indexer": attention["indexer"] | {"shared": True}}
    kinds = {"full": attention, "shared": shared}
    return parts.spread(kinds, indexer_types(reader, depth))


def indexer_types(reader: Reader, depth: int) -> list[str]:
    """Return full or shared for each layer, by the list, the pattern or the frequency."""
    offset = 2
    names = ("index_topk_pattern", "index_topk_freq", "index_skip_topk_offset")
    if reader.has("indexer_types"):
        reader.skip(*names)
        return [str(one) for one in layer_list(reader, "indexer_types", depth, ("full", "shared"))]
    reader.skip("indexer_types")
    if reader.has("index_topk_pattern"):
        reader.skip(*names)
        pattern = reader.data["index_topk_pattern"]
        if isinstance(pattern, str) and len(pattern) == depth and set(pattern) <= {"F", "S"}:
            return [{"F": "full", "S": "shared"}[letter] for letter in pattern]
        what = f"index_topk_pattern is {quote(pattern)}"
        reader.refuse("index_topk_pattern", what, valid="a letter F or S for each layer")
        return ["full"] * depth
    reader.skip("index_topk_pattern")
    frequency = reader.size("index_topk_freq")
    if reader.has("index_skip_topk_offset"):
        offset = reader.natural("index_skip_topk_offset")
    reader.skip("index_skip_topk_offset")
    return [
        "shared" if max(layer - offset + 1, 0) % frequency else "full" for layer in range(depth)
    ]


def _experts(reader: Reader) -> dict[str, Any]:
    methods = _METHODS.get(reader.findings.model_type, ("noaux_tc",))
    method = reader.choice("topk_method", *methods)
    groups = reader.size("n_group", computed=1), reader.size("topk_group", computed=1)
    return parts.moe(
        reader.size("n_routed_experts", "num_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=reader.natural("n_shared_experts", null=0),
        groups=(1, 1) if method == "greedy" else groups,
        routing_bias=method == "noaux_tc",
    )


def _feed_forward(reader: Reader, depth: int) -> list[dict[str, Any]]:
    experts = _experts(reader)
    dense = parts.dense(reader.size("intermediate_size"))
    if reader.has("mlp_layer_types"):  # as transformers 5 writes V3.2
        reader.skip("first_k_dense_replace", "moe_layer_freq")
        types = layer_list(reader, "mlp_layer_types", depth, ("dense", "sparse"))
        return parts.spread({"dense": dense, "sparse": experts}, types)
    return mixed(reader, depth, dense, experts)


def _latent(reader: Reader) -> Architecture:
    depth = reader.depth()
    if reader.has("layer_types"):
        layer_list(reader, "layer_types", depth, _LAYER_TYPES[reader.findings.model_type])
    mtp = 0
    if reader.findings.model_type != "deepseek_v2":
        mtp = reader.natural("num_nextn_predict_layers", null=0)
    reader.activation("hidden_act")
    plain = latent_attention(reader)
    attention, feed_forward = [plain] * depth, _feed_forward(reader, depth)
    module = None
    if reader.findings.model_type == "glm_moe_dsa":
        attention = with_indexers(reader, depth, plain)
        module = {"attention": plain, "feed_forward": feed_forward[-1]}
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=attention,
        feed_forward=feed_forward,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
        mtp=(mtp, True) if mtp else None,
        mtp_layer=module,
    )


_METHODS = {
    "deepseek_v2": ("greedy", "group_limited_greedy"),
    "mistral4": ("group_limited_greedy",),
}
"""Ways to choose experts, where the router has no bias that balances the load."""

_LAYER_TYPES = {
    "deepseek_v2": ("full_attention",),
    "mistral4": ("full_attention",),
    "deepseek_v3": ("full_attention",),
    "kimi_k2": ("full_attention",),
    "deepseek_v32": ("indexed_attention", "deepseek_sparse_attention"),
    "glm4_moe_lite": ("full_attention",),
    "glm_moe_dsa": ("indexed_attention", "deepseek_sparse_attention"),
}
_INDEXED = ("deepseek_v32", "glm_moe_dsa")

# head_dim and qk_head_dim are transformers' own copies of the named widths and their sum
_IGNORED = frozenset(
    (
        "aux_loss_alpha",
        "ep_size",
        "head_dim",
        "qk_head_dim",
        "index_share_for_mtp_iteration",
        "indexer_rope_interleave",
        "moe_router_dtype",
        "routed_scaling_factor",
        "scoring_func",
        "seq_aux",
    )
)

_V2 = {
    "attention_bias": False,
    "moe_layer_freq": Computed(NO_CHOICE, 1),
    "n_group": None,
    "num_key_value_heads": KV_HEADS_AS_HEADS,
    "tie_word_embeddings": False,
    "topk_group": None,
    "topk_method": "greedy",
}
_V3 = _V2 | {
    "n_group": 8,
    "num_nextn_predict_layers": MAIN_MODEL_ALONE,
    "topk_group": 4,
    "topk_method": Computed(NO_CHOICE, "noaux_tc"),
}
_UNGROUPED = {"n_group": 1, "topk_group": 1}


def _family(
    *architectures: str, configuration: str, defaults: dict[str, Any], fp8: str = "fp8-deepseek-v3"
) -> Family:
    return Family(
        architectures=architectures,
        configuration=configuration,
        read=_latent,
        defaults=defaults,
        ignored=_IGNORED,
        fp8=fp8,
    )


FAMILIES = {
    "deepseek_v2": _family(
        "DeepseekV2ForCausalLM",
        configuration="transformers' DeepseekV2Config",
        defaults=_V2,
        fp8="",
    ),
    "deepseek_v3": _family(
        "DeepseekV3ForCausalLM", configuration="transformers' DeepseekV3Config", defaults=_V3
    ),
    "kimi_k2": _family(
        "DeepseekV3ForCausalLM",
        "KimiK2ForCausalLM",
        configuration="Kimi-K2's DeepseekV3Config",
        defaults=_V3 | {"moe_layer_freq": 1, "topk_method": "noaux_tc"},
    ),
    "kimi_k25": Family(
        architectures=("KimiK25ForConditionalGeneration",),
        text="kimi_k2",
        other_texts=("deepseek_v3",),
        inner_tie=True,
        vision="moonvit",
        ignored=frozenset(
            (
                "ignore_index",
                "image_token_id",
                "media_placeholder_token_id",
                "projection_hidden_size",
                "projection_layer_norm_eps",
                "use_unified_vision_chunk",
                "video_placeholder",
                "video_token_id",
                "vision_end_token_id",
                "vision_start_token_id",
            )
        ),
    ),
    "deepseek_v32": _family(
        "DeepseekV32ForCausalLM", configuration="transformers' DeepseekV32Config", defaults=_V3
    ),
    "mistral4": _family(
        "Mistral4ForCausalLM",
        configuration="transformers' Mistral4Config",
        defaults=_V3
        | _UNGROUPED
        | {"first_k_dense_replace": 0, "topk_method": Computed(NO_CHOICE, "group_limited_greedy")},
    ),
    "glm4_moe_lite": _family(
        "Glm4MoeLiteForCausalLM",
        configuration="transformers' Glm4MoeLiteConfig",
        defaults=_V3 | _UNGROUPED,
    ),
    "glm_moe_dsa": _family(
        "GlmMoeDsaForCausalLM",
        configuration="transformers' GlmMoeDsaConfig",
        defaults=_V3 | _UNGROUPED | {"index_topk_freq": 1},
    ),
}
