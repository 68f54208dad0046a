"""Wrappers whose language model is of another family: Qwen3-VL, Mistral-Small 3, Kimi-K2.5.

Read in transformers' configurations: the text of Qwen3-VL is Qwen 3 with rotations of its own, and
what the outer file says of tied embeddings holds; in Mistral's it is what the text_config says.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.importers import parts
from dsv3calc.importers.families import dense
from dsv3calc.importers.families.qwen import sparse_layers
from dsv3calc.importers.family import Architecture, Computed, Family

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _qwen3_vl(reader: Reader) -> Architecture:
    depth = reader.depth()
    bias = reader.flag("attention_bias")
    attention = parts.gqa(
        reader.size("num_attention_heads"),
        reader.size("num_key_value_heads"),
        reader.size("head_dim"),
        attention_bias=bias,
        output_bias=bias,
        qk_norm="head",
    )
    feed_forward: list[dict[str, Any] | None]
    if reader.findings.model_type == "qwen3_vl_text":
        feed_forward = [parts.dense(reader.size("intermediate_size"))] * depth
    else:
        experts = parts.moe(
            reader.size("num_experts"),
            reader.size("num_experts_per_tok"),
            reader.size("moe_intermediate_size"),
        )
        feed_forward = sparse_layers(reader, depth, experts)
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=feed_forward,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


_TIED = Computed("that of the outer configuration class", value=False)
_VISION_TOKENS = frozenset(
    ("image_token_id", "video_token_id", "vision_end_token_id", "vision_start_token_id")
)
_PROJECTOR = frozenset(
    (
        "image_token_id",
        "image_token_index",
        "multimodal_projector_bias",
        "projector_hidden_act",
        "spatial_merge_size",
        "vision_feature_layer",
    )
)

_MINISTRAL = dense.FAMILIES[dense.MINISTRAL]

FAMILIES = {
    "qwen3_vl_text": Family(
        architectures=("Qwen3VLForCausalLM",),
        configuration="transformers' Qwen3VLTextConfig",
        read=_qwen3_vl,
        defaults={"attention_bias": False, "tie_word_embeddings": _TIED},
    ),
    "qwen3_vl_moe_text": Family(
        architectures=("Qwen3VLMoeForCausalLM",),
        configuration="transformers' Qwen3VLMoeTextConfig",
        read=_qwen3_vl,
        defaults={
            "attention_bias": False,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "tie_word_embeddings": _TIED,
        },
        fields={"n_routed_experts": "num_experts"},
    ),
    "qwen3_vl": Family(
        architectures=("Qwen3VLForConditionalGeneration",),
        text=("qwen3_vl_text",),
        vision="qwen3_vl",
        ignored=_VISION_TOKENS,
    ),
    "qwen3_vl_moe": Family(
        architectures=("Qwen3VLMoeForConditionalGeneration",),
        text=("qwen3_vl_moe_text",),
        vision="qwen3_vl",
        ignored=_VISION_TOKENS,
    ),
    "mistral3": Family(
        architectures=("Mistral3ForConditionalGeneration",),
        text=("mistral", dense.MINISTRAL),
        vision="pixtral",
        tied_by_text=True,
        ignored=_PROJECTOR,
    ),
    dense.MINISTRAL: msgspec.structs.replace(
        _MINISTRAL,
        architectures=(*_MINISTRAL.architectures, "Mistral3ForConditionalGeneration"),
        text=(dense.MINISTRAL,),
        vision="pixtral",
        tied_by_text=True,
        ignored=_MINISTRAL.ignored | _PROJECTOR,
    ),
    "kimi_k25": Family(
        architectures=("KimiK25ForConditionalGeneration",),
        text=("kimi_k2", "deepseek_v3"),
        vision="moonvit",
        ignored=frozenset(
            (
                "ignore_index",
                "media_placeholder_token_id",
                "use_unified_vision_chunk",
                "video_placeholder",
            )
        ),
    ),
}
