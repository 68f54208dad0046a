"""MiniMax-M3: blocks of keys selected by an indexer, dense layers first, one shared expert.

Read in transformers' modeling_minimax_m3_vl.py and configuration_minimax_m3_vl.py: the layers of
sparse_attention_freq 1 have an indexer; intermediate_size is the width of an expert and
dense_intermediate_size that of the dense layers; no projection has a bias.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.family import NO_CHOICE, Architecture, Computed, Family, Mtp
from dsv3calc.importers.layer_keys import layer_list

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_FULL, _SPARSE = "full_attention", "minimax_m3_sparse"
_INDEXER = {
    "index_n_heads": "sparse_num_index_heads",
    "index_head_dim": "sparse_index_dim",
    "index_block_size": "sparse_block_size",
    "index_topk_blocks": "sparse_topk_blocks",
}
"""Field of the indexer -> its older key inside sparse_attention_config."""


def _indexer(reader: Reader, depth: int) -> tuple[dict[str, Any], list[str]]:
    """Return the indexer, and which layers have one."""
    if not reader.has("sparse_attention_config"):
        reader.skip("sparse_attention_config", "index_local_blocks")
        indexer = {name: reader.size(name) for name in _INDEXER}
        return indexer, layer_list(reader, "layer_types", depth, (_FULL, _SPARSE), lambda _: _FULL)
    reader.skip("layer_types", *_INDEXER, "index_local_blocks")
    older = reader.part("sparse_attention_config")
    older.skip(
        "sparse_disable_index_value",
        "sparse_init_block",
        "sparse_local_block",
        "sparse_score_type",
        "use_sparse_attention",
    )
    indexer = {name: older.size(key) for name, key in _INDEXER.items()}
    marks = layer_list(older, "sparse_attention_freq", depth, (0, 1))
    return indexer, [_SPARSE if mark else _FULL for mark in marks]


def _feed_forward(reader: Reader, depth: int) -> list[dict[str, Any]]:
    width = reader.size("intermediate_size", "moe_intermediate_size")
    shared = reader.natural("n_shared_experts")
    if shared != 1 and reader.sound("n_shared_experts"):
        what, why = f"{shared} shared experts", "the modelling code has one in each mixture"
        reader.refuse("n_shared_experts", what, why=why, valid="1")
    each = reader.size("shared_intermediate_size")
    if each != width and reader.sound("shared_intermediate_size", "intermediate_size"):
        reader.refuse(
            "shared_intermediate_size",
            f"a shared expert of {each} beside routed ones of {width}",
            why="the published files have experts of one width",
            valid=f"{width}",
        )
    experts = parts.moe(
        reader.size("num_local_experts"),
        reader.size("num_experts_per_tok"),
        width,
        n_shared_experts=shared,
        routing_bias=reader.flag("use_routing_bias"),
    )
    dense = parts.dense(reader.size("dense_intermediate_size"))
    if reader.has("moe_layer_freq"):
        reader.skip("mlp_layer_types", "first_k_dense_replace")
        marks = layer_list(reader, "moe_layer_freq", depth, (0, 1))
        return [experts if mark else dense for mark in marks]
    reader.skip("moe_layer_freq")
    types = layer_list(reader, "mlp_layer_types", depth, ("dense", "sparse"), lambda _: "sparse")
    return parts.spread({"dense": dense, "sparse": experts}, types)


def _mtp(reader: Reader) -> Mtp | None:
    name = "num_mtp_modules"
    if reader.has("num_nextn_predict_layers"):  # what engines load, beside the modules of training
        reader.skip(name)
        name = "num_nextn_predict_layers"
    modules = reader.natural(name, null=0)
    if not modules:
        return None
    reader.findings.assumed["num_mtp_modules"] = (
        f"mtp = {modules} modules of one layer each, joined as DeepSeek-V3's are: the library's "
        "code has none to check against"
    )
    return modules, False


def _minimax_m3(reader: Reader) -> Architecture:
    depth = reader.depth()
    indexer, types = _indexer(reader, depth)
    width = (
        reader.size("num_attention_heads"),
        reader.size("num_key_value_heads"),
        reader.size("head_dim"),
    )
    qk_norm = "head" if reader.flag("use_qk_norm") else "none"
    reader.choice("qk_norm_type", "per_head")
    kinds = {
        _FULL: parts.gqa(*width, qk_norm=qk_norm),
        _SPARSE: parts.gqa(*width, qk_norm=qk_norm, indexer=indexer),
    }
    reader.choice("hidden_act", "swigluoai", "silu")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=parts.spread(kinds, types),
        feed_forward=_feed_forward(reader, depth),
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
        mtp=_mtp(reader),
    )


def _text(*architectures: str) -> Family:
    return Family(
        architectures=architectures,
        configuration="transformers' MiniMaxM3VLTextConfig",
        read=_minimax_m3,
        defaults={
            "hidden_act": "silu",
            "layer_types": Computed("every layer attends to all tokens"),
            "mlp_layer_types": Computed("every layer is a mixture"),
            "n_shared_experts": Computed(NO_CHOICE, 1),
            "num_mtp_modules": Computed(NO_CHOICE, 0),
            "qk_norm_type": Computed(NO_CHOICE, "per_head"),
            "tie_word_embeddings": False,
            "use_qk_norm": Computed(NO_CHOICE, value=True),
            "use_routing_bias": Computed(NO_CHOICE, value=True),
        },
        ignored=frozenset(
            [
                "routed_scaling_factor",
                "scoring_func",
                "swiglu_alpha",
                "swiglu_limit",
                "use_gemma_norm",
            ]
        ),
        fixed={"attention_output_gate": (False,)},
        fields={
            "n_routed_experts": "num_local_experts",
            "moe_intermediate_size": "intermediate_size",
        },
    )


FAMILIES = {
    "minimax_m3": _text("MiniMaxM3ForCausalLM"),
    "minimax_m3_vl_text": _text("MiniMaxM3SparseForCausalLM", "MiniMaxM3VLForCausalLM"),
    "minimax_m3_vl": Family(
        architectures=(
            "MiniMaxM3SparseForConditionalGeneration",
            "MiniMaxM3VLForConditionalGeneration",
        ),
        text="minimax_m3_vl_text",
        vision="minimax_m3",
        ignored=frozenset(
            [
                "image_grid_pinpoints",
                "image_seq_length",
                "image_token_index",
                "merged_hidden_size",
                "img_token_compression_config",
                "multimodal_projector_bias",
                "num_reward_heads",
                "process_image_mode",
                "projector_hidden_act",
                "projector_hidden_size",
                "video_token_index",
                "vision_feature_layer",
                "vision_feature_select_strategy",
            ]
        ),
    ),
}
