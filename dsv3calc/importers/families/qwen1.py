"""The first Qwen: multi-head attention, and a feed-forward of half the stated width.

Read in the repository Qwen/Qwen-7B, modeling_qwen.py: w1, w2 and c_proj are intermediate_size / 2
wide; c_attn always has a bias; no_bias false gives one to c_proj and to the feed-forward too.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.family import Architecture, Family

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _qwen(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    heads = reader.size("num_attention_heads")
    head_dim = reader.size("kv_channels")
    if heads * head_dim != hidden_size and reader.sound(
        "hidden_size", "num_attention_heads", "kv_channels"
    ):
        reader.refuse(
            "kv_channels",
            f"{heads} heads of {head_dim} channels are not hidden_size {hidden_size}",
            why="c_proj takes the heads' output for the hidden state's width",
        )
    bias = not reader.flag("no_bias")
    doubled = reader.size("intermediate_size")
    if doubled % 2 and reader.sound("intermediate_size"):
        reader.refuse(
            "intermediate_size",
            f"intermediate_size {doubled} is odd",
            why="in this family it is twice the width of the feed-forward",
        )
    attention = parts.gqa(heads, heads, head_dim, attention_bias=True, output_bias=bias)
    feed_forward = parts.dense(max(doubled // 2, 1), mlp_bias=bias)
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=[feed_forward] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


FAMILIES = {
    "qwen": Family(
        architectures=("QWenLMHeadModel",),
        configuration="Qwen-7B's QWenConfig",
        read=_qwen,
        defaults={"no_bias": True, "tie_word_embeddings": False},
        ignored=frozenset(
            (
                "attn_dropout_prob",
                "emb_dropout_prob",
                "bf16",
                "fp16",
                "fp32",
                "onnx_safe",
                "rotary_emb_base",
                "rotary_pct",
                "scale_attn_weights",
                "seq_length",
                "use_dynamic_ntk",
                "use_flash_attn",
                "use_logn_attn",
                "use_cache_kernel",
                "softmax_in_fp32",
            )
        ),
        fixed={"use_cache_quantization": (False,)},
        fields={"head_dim": "kv_channels", "num_key_value_heads": "num_attention_heads"},
    )
}
