"""MiniMax-Text-01 and MiniMax-M1: lightning attention, with full attention between.

Read in transformers' modeling_minimax.py and in the repositories' own modelling code: the
lightning layers project queries, keys and values of all heads, gate their output and norm it over
the whole width; there are no biases. The repositories' attn_type_list has a 0 for lightning and a
1 for full attention.
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

_FULL, _LINEAR = "full_attention", "linear_attention"


def _types(reader: Reader, depth: int) -> list[str]:
    if reader.has("attn_type_list"):
        reader.skip("layer_types")
        kinds = layer_list(reader, "attn_type_list", depth, (0, 1))
        return [_FULL if kind else _LINEAR for kind in kinds]
    reader.skip("attn_type_list")
    return layer_list(
        reader,
        "layer_types",
        depth,
        (_FULL, _LINEAR),
        lambda layer: _LINEAR if layer % 2 else _FULL,
    )


def _read(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    width = heads(reader, hidden_size)
    types = _types(reader, depth)
    mixer = {"type": "lightning", "num_attention_heads": width[0], "head_dim": width[2]}
    block = reader.size("block_size")
    mixer |= {} if block == 256 else {"chunk_size": block}  # noqa: PLR2004 - the schema's default
    attention = parts.gqa(*width)
    experts = parts.moe(
        reader.size("num_local_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("intermediate_size"),
    )
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention if kind == _FULL else None for kind in types],
        mixer=[mixer if kind == _LINEAR else None for kind in types],
        feed_forward=[experts] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


_SCALES = frozenset(
    f"{part}_{end}"
    for factor in ("alpha", "beta")
    for part, end in (
        ("full_attn", f"{factor}_factor"),
        ("linear_attn", f"{factor}_factor"),
        ("mlp", f"{factor}_factor"),
        ("layernorm_full_attention", factor),
        ("layernorm_linear_attention", factor),
        ("layernorm_mlp", factor),
    )
)
"""Factors of the residuals, by the names of either file."""


def _family(*architectures: str, configuration: str) -> Family:
    return Family(
        architectures=architectures,
        configuration=configuration,
        read=_read,
        defaults={
            "block_size": 256,
            "head_dim": HEAD_DIM_FROM_HEADS,
            "layer_types": Computed("every second layer has lightning attention, the first not"),
            "num_key_value_heads": KV_HEADS_AS_HEADS,
            "tie_word_embeddings": False,
        },
        ignored=_SCALES | {"postnorm", "shared_moe_mode"},
        fixed={"shared_intermediate_size": (0,), "sliding_window": (None,)},
        fields={
            "n_routed_experts": "num_local_experts",
            "moe_intermediate_size": "intermediate_size",
        },
    )


FAMILIES = {
    "minimax": _family("MiniMaxForCausalLM", configuration="transformers' MiniMaxConfig"),
    "minimax_text_01": _family(
        "MiniMaxText01ForCausalLM", configuration="MiniMax-Text-01's MiniMaxText01Config"
    ),
    "minimax_m1": _family("MiniMaxM1ForCausalLM", configuration="MiniMax-M1's MiniMaxM1Config"),
}
