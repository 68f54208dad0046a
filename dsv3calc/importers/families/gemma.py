"""Gemma 2 and 3: four norms in a layer, tied embeddings, mostly sliding windows.

Read in transformers' modeling_gemma2.py, modeling_gemma3.py and their configurations: norms
before and after attention and feed-forward; Gemma 3 norms queries and keys head by head; every
second (Gemma 2) or sixth layer (Gemma 3) sees everything; attention_bias covers all four.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.family import Architecture, Computed, Family
from dsv3calc.importers.layer_keys import layer_list

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_FULL, _SLIDING = "full_attention", "sliding_attention"


def _pattern(reader: Reader) -> int:
    """Return the distance between layers that see everything."""
    if reader.findings.model_type == "gemma2":
        return 2
    if reader.has("layer_types"):
        reader.skip("sliding_window_pattern", "_sliding_window_pattern")
        return 1
    return reader.size("sliding_window_pattern", "_sliding_window_pattern")


def _gemma(reader: Reader) -> Architecture:
    depth = reader.depth()
    width = (
        reader.size("num_attention_heads"),
        reader.size("num_key_value_heads"),
        reader.size("head_dim"),
    )
    bias = reader.flag("attention_bias")
    window = reader.size("sliding_window", "sliding_window_size")
    qk_norm = "none" if reader.findings.model_type == "gemma2" else "head"
    full, sliding = (
        parts.gqa(
            *width,
            attention_bias=bias,
            output_bias=bias,
            qk_norm=qk_norm,
            sliding_window=size,
        )
        for size in (None, window)
    )
    pattern = _pattern(reader)
    types = layer_list(
        reader,
        "layer_types",
        depth,
        (_FULL, _SLIDING),
        lambda layer: _SLIDING if (layer + 1) % pattern else _FULL,
    )
    dense = parts.dense(reader.size("intermediate_size"))
    reader.activation("hidden_act", "hidden_activation")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=parts.spread({_FULL: full, _SLIDING: sliding}, types),
        feed_forward=[dense] * depth,
        block_norms=4,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


_IGNORED = frozenset(["attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar"])

FAMILIES = {
    "gemma2": Family(
        architectures=("Gemma2ForCausalLM",),
        configuration="transformers' Gemma2Config",
        read=_gemma,
        defaults={
            "attention_bias": False,
            "tie_word_embeddings": True,
            "layer_types": Computed(
                "every second layer attends to all tokens, the others to a window"
            ),
        },
        ignored=_IGNORED,
        fixed={"use_bidirectional_attention": (False, None)},
    ),
    "gemma3_text": Family(
        architectures=("Gemma3ForCausalLM",),
        configuration="transformers' Gemma3TextConfig",
        read=_gemma,
        defaults={
            # the published files of 4B and more omit these sizes
            "vocab_size": 262208,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "attention_bias": False,
            "tie_word_embeddings": True,
            "max_position_embeddings": 131072,
            "sliding_window_pattern": 6,
            "layer_types": Computed(
                "the last of every sliding_window_pattern layers attends to all tokens"
            ),
        },
        ignored=_IGNORED,
        fixed={"use_bidirectional_attention": (False, None)},
    ),
    "gemma3": Family(
        architectures=("Gemma3ForConditionalGeneration",),
        text="gemma3_text",
        ignored=frozenset(
            (
                "boi_token_index",
                "eoi_token_index",
                "image_token_index",
                "mm_tokens_per_image",
            )
        ),
    ),
}
