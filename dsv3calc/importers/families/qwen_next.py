"""Qwen3-Next and Qwen3.5: three Gated DeltaNet layers to one of gated attention.

Read in transformers' modeling_qwen3_next.py, modeling_qwen3_5.py and modeling_qwen3_5_moe.py: the
query projection is twice as wide, its second half gates the output of attention; queries and keys
are normed head by head; one shared expert has a width and a gate of its own. Projections of the
linear layers are fused in one file and apart in another, with the same sums. Prediction modules are
stored with the model and share its embedding and head.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.families.qwen import shared_experts, sparse_layers
from dsv3calc.importers.family import (
    MAIN_MODEL_ALONE,
    NO_CHOICE,
    Architecture,
    Computed,
    Family,
)
from dsv3calc.importers.layer_keys import layer_list

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_FULL, _LINEAR = "full_attention", "linear_attention"


def _layer_types(reader: Reader, depth: int) -> list[str]:
    """Return which layers are linear: by layer_types, else all but each interval's last."""
    if reader.has("layer_types"):
        reader.skip("full_attention_interval")
        return layer_list(reader, "layer_types", depth, (_LINEAR, _FULL))
    reader.skip("layer_types")
    interval = reader.size("full_attention_interval")
    return [_LINEAR if (layer + 1) % interval else _FULL for layer in range(depth)]


def _mixer(reader: Reader) -> dict[str, Any]:
    names = (
        "linear_num_key_heads",
        "linear_num_value_heads",
        "linear_key_head_dim",
        "linear_value_head_dim",
        "linear_conv_kernel_dim",
    )
    mixer: dict[str, Any] = {"type": "gated_delta_net"}
    mixer |= {name: reader.size(name) for name in names}
    return mixer | parts.state_dtype(reader, "mamba_ssm_dtype")


def _qwen_next(reader: Reader) -> Architecture:
    depth = reader.depth()
    gated = reader.flag("attn_output_gate")
    bias = reader.flag("attention_bias")
    attention = parts.gqa(
        reader.size("num_attention_heads"),
        reader.size("num_key_value_heads"),
        reader.size("head_dim"),
        attention_bias=bias,
        output_bias=bias,
        qk_norm="head",
        output_gate="channel" if gated else "none",
    )
    mixer = _mixer(reader)
    types = _layer_types(reader, depth)
    reader.activation("hidden_act")
    mtp = reader.natural("mtp_num_hidden_layers", null=0)
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=[attention if kind == _FULL else None for kind in types],
        mixer=[mixer if kind == _LINEAR else None for kind in types],
        feed_forward=_feed_forward(reader, depth),
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
        mtp=(mtp, False) if mtp else None,
        mtp_stored=True,
    )


def _feed_forward(reader: Reader, depth: int) -> list[dict[str, Any] | None]:
    if reader.findings.model_type == "qwen3_5_text":
        reader.skip("mlp_only_layers")  # every layer is dense
        return [parts.dense(reader.size("intermediate_size"))] * depth
    return sparse_layers(reader, depth, shared_experts(reader))


_DEFAULTS = {
    "attention_bias": False,
    "attn_output_gate": Computed(NO_CHOICE, value=True),
    "full_attention_interval": 4,
    "mamba_ssm_dtype": Computed("transformers keeps it so", "float32"),
    "mtp_num_hidden_layers": MAIN_MODEL_ALONE,
    "tie_word_embeddings": False,
}
_SPARSE = _DEFAULTS | {"decoder_sparse_step": 1, "mlp_only_layers": []}


def _family(*architectures: str, configuration: str, **more: Any) -> Family:
    return Family(
        architectures=architectures,
        configuration=f"transformers' {configuration}",
        read=_qwen_next,
        fixed={"mtp_use_dedicated_embeddings": (False,), "use_sliding_window": (False,)},
        **more,
    )


_TOKENS = frozenset(
    (
        "image_token_id",
        "language_model_only",
        "video_token_id",
        "vision_end_token_id",
        "vision_start_token_id",
    )
)

FAMILIES = {
    "qwen3_next": _family(
        "Qwen3NextForCausalLM",
        configuration="Qwen3NextConfig",
        defaults=_SPARSE,
        fields={"n_routed_experts": "num_experts"},
    ),
    "qwen3_5_text": _family(
        "Qwen3_5ForCausalLM",
        configuration="Qwen3_5TextConfig",
        defaults=_DEFAULTS,
        ignored=frozenset(["output_gate_type"]),
    ),
    "qwen3_5_moe_text": _family(
        "Qwen3_5MoeForCausalLM",
        configuration="Qwen3_5MoeTextConfig",
        defaults=_SPARSE,
        ignored=frozenset(["output_gate_type"]),
        fields={"n_routed_experts": "num_experts"},
    ),
    "qwen3_5": Family(
        architectures=("Qwen3_5ForConditionalGeneration",),
        text="qwen3_5_text",
        vision="qwen3_vl",
        ignored=_TOKENS,
    ),
    "qwen3_5_moe": Family(
        architectures=("Qwen3_5MoeForConditionalGeneration",),
        text="qwen3_5_moe_text",
        vision="qwen3_vl",
        ignored=_TOKENS,
    ),
}
