"""Qwen 2 and 2.5, Qwen 3, their mixtures of experts, Qwen 3 VL's text models, and MiMo 7B.

Read in transformers' modeling_qwen2.py, modeling_qwen3.py and modeling_qwen3_moe.py: Qwen 2 has
biases on query, key and value and none on the output; Qwen 3 has none unless attention_bias (then
on all four) and norms queries and keys head by head. Sliding windows exist only under
use_sliding_window: in Qwen 2 and 3 from layer max_window_layers on, in the mixture everywhere.
MiMo 7B (the repository's modeling_mimo.py) is Qwen 2 with prediction modules: a projection of two
hidden states, three norms and a layer each, without copies of embedding and head.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.families.llama import heads
from dsv3calc.importers.family import (
    HEAD_DIM_FROM_HEADS,
    MAIN_MODEL_ALONE,
    NO_CHOICE,
    Architecture,
    Computed,
    Family,
)
from dsv3calc.importers.layer_keys import layer_indices, layer_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.importers.keys import Reader

_FULL, _SLIDING = "full_attention", "sliding_attention"
_SAME_WINDOW = ("qwen3_moe", "qwen3_vl_text", "qwen3_vl_moe_text", "qwen3_omni_moe_text")
"""Types whose layers all have the same window, or none."""


def _window(reader: Reader) -> int | None:
    """Return the window if one is in use at all."""
    if not reader.flag("use_sliding_window"):
        reader.skip("sliding_window")
        return None
    return reader.optional_size("sliding_window")


def _layer_types(reader: Reader, depth: int, window: int | None) -> list[str]:
    """Return which layers slide, by layer_types or else from max_window_layers on."""
    if reader.has("layer_types"):
        reader.skip("max_window_layers")
        types = layer_list(reader, "layer_types", depth, (_FULL, _SLIDING))
        if _SLIDING in types and window is None and reader.sound("sliding_window"):
            reader.refuse(
                "layer_types",
                "layer_types has sliding layers but no window is in use",
                valid="use_sliding_window: true and a sliding_window",
            )
            return [_FULL] * depth
        return types
    reader.skip("layer_types")
    first = depth
    if window is None:
        reader.skip("max_window_layers")
    else:
        first = reader.natural("max_window_layers")
    return [_SLIDING if layer >= first else _FULL for layer in range(depth)]


def _attention(
    reader: Reader, depth: int, width: tuple[int, int, int], **options: Any
) -> list[dict[str, Any]]:
    window = _window(reader)
    if reader.findings.model_type in _SAME_WINDOW:
        reader.skip("max_window_layers")
        return [parts.gqa(*width, sliding_window=window, **options)] * depth
    kinds = {
        _FULL: parts.gqa(*width, **options),
        _SLIDING: parts.gqa(*width, sliding_window=window, **options),
    }
    return parts.spread(kinds, _layer_types(reader, depth, window))


def _qwen2(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    width = heads(reader, hidden_size)
    attention = _attention(reader, depth, width, attention_bias=True)
    found = _rest(reader, hidden_size, attention, [_dense(reader)] * depth)
    if reader.findings.model_type == "mimo":
        modules = reader.natural("num_nextn_predict_layers", null=0)
        found.mtp, found.mtp_stored = (modules, False) if modules else None, True
    return found


def _qwen3(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    width = heads(reader, hidden_size)
    bias = reader.flag("attention_bias")
    attention = _attention(
        reader, depth, width, attention_bias=bias, output_bias=bias, qk_norm="head"
    )
    if reader.findings.model_type in ("qwen3", "qwen3_vl_text"):
        return _rest(reader, hidden_size, attention, [_dense(reader)] * depth)
    experts = parts.moe(
        reader.size("num_experts", "num_local_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
    )
    return _rest(reader, hidden_size, attention, sparse_layers(reader, depth, experts))


def _qwen2_moe(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    width = heads(reader, hidden_size)
    attention = _attention(reader, depth, width, attention_bias=reader.flag("qkv_bias"))
    experts = shared_experts(reader)
    return _rest(reader, hidden_size, attention, sparse_layers(reader, depth, experts))


def shared_experts(reader: Reader) -> dict[str, Any]:
    """Return experts beside a shared one, whose output a gate weighs."""
    return parts.moe(
        reader.size("num_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=1,
        shared_expert_intermediate_size=reader.size("shared_expert_intermediate_size"),
        shared_expert_gate=True,
    )


def sparse_layers(
    reader: Reader, depth: int, experts: dict[str, Any]
) -> list[dict[str, Any] | None]:
    """Return the feed-forwards of layers of which some may be dense, by two keys."""
    step = reader.size("decoder_sparse_step")
    dense_layers = layer_indices(reader, "mlp_only_layers", depth) or set()
    sparse = [layer not in dense_layers and not (layer + 1) % step for layer in range(depth)]
    if all(sparse):
        reader.skip("intermediate_size")
        return [experts] * depth
    dense = _dense(reader)
    return [experts if chosen else dense for chosen in sparse]


def _dense(reader: Reader) -> dict[str, Any]:
    return parts.dense(reader.size("intermediate_size"))


def _rest(
    reader: Reader,
    hidden_size: int,
    attention: Sequence[dict[str, Any] | None],
    feed_forward: Sequence[dict[str, Any] | None],
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


_VL = {
    "attention_bias": False,
    "head_dim": 128,
    "tie_word_embeddings": Computed(
        "published text models have a separate head, whatever the default of their class is",
        value=False,
    ),
    "use_sliding_window": Computed(NO_CHOICE, value=False),
}
_TOKENS = frozenset(
    ("image_token_id", "video_token_id", "vision_end_token_id", "vision_start_token_id")
)

_MOE_DEFAULTS = {
    "attention_bias": False,
    "decoder_sparse_step": 1,
    "head_dim": HEAD_DIM_FROM_HEADS,
    "mlp_only_layers": [],
    "tie_word_embeddings": False,
    "use_sliding_window": False,
}
_MOE_FIXED = {
    "qkv_bias": (False,),
    "shared_expert_intermediate_size": (0,),
    "use_qk_norm": (True,),
}

FAMILIES = {
    "qwen2": Family(
        architectures=("Qwen2ForCausalLM",),
        configuration="transformers' Qwen2Config",
        read=_qwen2,
        defaults={
            "head_dim": HEAD_DIM_FROM_HEADS,
            "tie_word_embeddings": False,
            "use_sliding_window": False,
        },
        ignored=frozenset({"use_mrope"}),
        fixed={"attention_bias": (True,)},
    ),
    "mimo": Family(
        architectures=("MiMoForCausalLM",),
        configuration="MiMo-7B's MiMoConfig",
        read=_qwen2,
        defaults={
            "head_dim": HEAD_DIM_FROM_HEADS,
            "num_nextn_predict_layers": MAIN_MODEL_ALONE,
            "tie_word_embeddings": False,
            "use_sliding_window": False,
        },
        ignored=frozenset({"use_mrope"}),
        fixed={"attention_bias": (True,)},
    ),
    "qwen3": Family(
        architectures=("Qwen3ForCausalLM",),
        configuration="transformers' Qwen3Config",
        read=_qwen3,
        defaults={
            "attention_bias": False,
            "tie_word_embeddings": False,
            "use_sliding_window": False,
        },
    ),
    "qwen3_moe": Family(
        architectures=("Qwen3MoeForCausalLM",),
        configuration="transformers' Qwen3MoeConfig",
        read=_qwen3,
        defaults=_MOE_DEFAULTS,
        fixed=_MOE_FIXED,
        fields={"n_routed_experts": "num_experts"},
    ),
    "qwen2_moe": Family(
        architectures=("Qwen2MoeForCausalLM",),
        configuration="transformers' Qwen2MoeConfig",
        read=_qwen2_moe,
        defaults={
            "decoder_sparse_step": 1,
            "head_dim": HEAD_DIM_FROM_HEADS,
            "mlp_only_layers": [],
            "qkv_bias": True,
            "tie_word_embeddings": False,
            "use_sliding_window": False,
        },
        fields={"n_routed_experts": "num_experts"},
    ),
    "qwen2_5_vl_text": Family(
        architectures=("Qwen2_5_VLForCausalLM",),
        configuration="transformers' Qwen2_5_VLTextConfig",
        read=_qwen2,
        defaults={
            "head_dim": HEAD_DIM_FROM_HEADS,
            "tie_word_embeddings": False,
            "use_sliding_window": False,
        },
    ),
    "qwen2_5_vl": Family(
        architectures=("Qwen2_5_VLForConditionalGeneration",),
        text="qwen2_5_vl_text",
        outer_tie=True,
        ignored=_TOKENS,
    ),
    "qwen3_omni_moe_text": Family(
        architectures=("Qwen3OmniMoeForCausalLM",),
        configuration="transformers' Qwen3OmniMoeTextConfig",
        read=_qwen3,
        defaults=_MOE_DEFAULTS,
        fixed=_MOE_FIXED,
        fields={"n_routed_experts": "num_experts"},
    ),
    "qwen3_omni_moe": Family(
        architectures=("Qwen3OmniMoeForConditionalGeneration",),
        text="qwen3_omni_moe_text",
        inside="thinker_config",
        beside=("talker_config", "code2wav_config"),
        outer_tie=True,
        ignored=_TOKENS
        | {
            "assistant_token_id",
            "audio_end_token_id",
            "audio_start_token_id",
            "audio_token_id",
            "enable_audio_output",
            "im_end_token_id",
            "im_start_token_id",
            "position_id_per_seconds",
            "seconds_per_chunk",
            "system_token_id",
            "tts_bos_token_id",
            "tts_eos_token_id",
            "tts_pad_token_id",
            "user_token_id",
        },
    ),
    "qwen3_vl_text": Family(
        architectures=("Qwen3VLForCausalLM",),
        configuration="transformers' Qwen3VLTextConfig",
        read=_qwen3,
        defaults=_VL,
    ),
    "qwen3_vl": Family(
        architectures=("Qwen3VLForConditionalGeneration",),
        text="qwen3_vl_text",
        vision="qwen3_vl",
        outer_tie=True,
        ignored=_TOKENS,
    ),
    "qwen3_vl_moe_text": Family(
        architectures=("Qwen3VLMoeForCausalLM",),
        configuration="transformers' Qwen3VLMoeTextConfig",
        read=_qwen3,
        defaults=_VL | {"decoder_sparse_step": 1, "mlp_only_layers": []},
        fields={"n_routed_experts": "num_experts"},
    ),
    "qwen3_vl_moe": Family(
        architectures=("Qwen3VLMoeForConditionalGeneration",),
        text="qwen3_vl_moe_text",
        vision="qwen3_vl",
        outer_tie=True,
        ignored=_TOKENS,
    ),
}
