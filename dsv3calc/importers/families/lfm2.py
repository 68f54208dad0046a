"""LFM2: short convolutions with attention between, dense or with experts.

Read in transformers' modeling_lfm2.py, modeling_lfm2_moe.py and their configurations: queries and
keys are normed head by head, no projection has a bias but those around a convolution under
conv_bias. The dense model takes two thirds of the stated feed-forward, rounded up to a multiple,
unless block_auto_adjust_ff_dim is false; experts have the width that the file states, and the
routing bias is a buffer.
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
from dsv3calc.importers.layer_keys import layer_indices, layer_list
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_CONV, _FULL = "conv", "full_attention"
_LARGEST_FACTOR = 1000


def _types(reader: Reader, depth: int) -> list[str]:
    """Return the kind of each layer, by the list or by the numbers of those with attention."""
    if reader.has("layer_types"):
        reader.skip("full_attn_idxs")
        return layer_list(reader, "layer_types", depth, (_CONV, _FULL))
    reader.skip("layer_types")
    attends = layer_indices(reader, "full_attn_idxs", depth)
    if attends is None:
        return [_FULL] * depth
    return [_FULL if layer in attends else _CONV for layer in range(depth)]


def _width(reader: Reader) -> int:
    """Return the width of the feed-forward of the dense model."""
    stated = reader.size("block_ff_dim" if reader.has("block_ff_dim") else "intermediate_size")
    reader.skip("block_ff_dim", "intermediate_size")
    names = ("block_ffn_dim_multiplier", "block_multiple_of")
    if not reader.flag("block_auto_adjust_ff_dim"):
        reader.skip(*names)
        return stated
    width = int(2 * stated / 3)
    multiple = reader.size("block_multiple_of")
    _, factor = reader.find(("block_ffn_dim_multiplier",), None)
    if factor is None:
        return max(width, 1)
    number = isinstance(factor, int | float) and not isinstance(factor, bool)
    if not number or not 0 < factor < _LARGEST_FACTOR:
        reader.refuse(names[0], f"{names[0]} is {quote(factor)}", valid="a number above 0")
        return 1
    return max(-(-int(factor * width) // multiple) * multiple, 1)


def _convolution(reader: Reader, hidden_size: int) -> dict[str, Any]:
    for name in ("block_dim", "conv_dim", "conv_dim_out"):
        if reader.size(name, computed=hidden_size) != hidden_size:
            what = f"{name} is not the hidden_size, {hidden_size}"
            reader.refuse(name, what, why="the modelling code convolves the hidden state")
    bias = {"conv_bias": True} if reader.flag("conv_bias") else {}
    return {"type": "short_convolution", "conv_kernel": reader.size("conv_L_cache")} | bias


def _lfm2(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    types = _types(reader, depth)
    attention = parts.gqa(*heads(reader, hidden_size), qk_norm="head")
    reader.skip("num_heads")
    mixer = _convolution(reader, hidden_size)
    if reader.findings.model_type == "lfm2":
        feeds = [parts.dense(_width(reader))] * depth
    else:
        feeds = _experts(reader, depth)
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention if kind == _FULL else None for kind in types],
        mixer=[mixer if kind == _CONV else None for kind in types],
        feed_forward=feeds,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


def _experts(reader: Reader, depth: int) -> list[dict[str, Any]]:
    first = reader.natural("num_dense_layers")
    dense = parts.dense(reader.size("intermediate_size"))
    experts = parts.moe(
        reader.size("num_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        routing_bias=reader.flag("use_expert_bias"),
    )
    return [dense if layer < first else experts for layer in range(depth)]


_DEFAULTS = {
    **dict.fromkeys(
        ("block_dim", "conv_dim", "conv_dim_out"), Computed("hidden_size, as in the code")
    ),
    "conv_L_cache": 3,
    "conv_bias": False,
    "head_dim": HEAD_DIM_FROM_HEADS,
    "num_key_value_heads": KV_HEADS_AS_HEADS,
    "tie_word_embeddings": True,
}

FAMILIES = {
    "lfm2": Family(
        architectures=("Lfm2ForCausalLM",),
        configuration="transformers' Lfm2Config",
        read=_lfm2,
        defaults=_DEFAULTS
        | {
            "block_auto_adjust_ff_dim": True,
            "block_ffn_dim_multiplier": 1.0,
            "block_multiple_of": 256,
            "full_attn_idxs": Computed("every layer has attention"),
        },
        ignored=frozenset(
            (
                "block_mlp_init_scale",
                "block_norm_eps",
                "block_out_init_scale",
                "block_use_xavier_init",
                "conv_use_xavier_init",
                "theta",
                "use_pos_enc",
            )
        ),
        fixed={"block_use_swiglu": (True,)},
    ),
    "lfm2_moe": Family(
        architectures=("Lfm2MoeForCausalLM",),
        configuration="transformers' Lfm2MoeConfig",
        read=_lfm2,
        defaults=_DEFAULTS
        | {
            "full_attn_idxs": Computed("every layer has attention"),
            "num_dense_layers": 2,
            "use_expert_bias": True,
        },
        ignored=frozenset(("routed_scaling_factor",)),
        fields={"n_routed_experts": "num_experts"},
    ),
}
