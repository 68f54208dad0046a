"""Dense models with latent attention: Youtu and MiniCPM 3.

Read in transformers' modeling_youtu.py and modeling_minicpm3.py: attention is DeepSeek-V3's, with
biases of the down-projections and the output under attention_bias, and every feed-forward is dense.
MiniCPM's values are hidden_size / num_attention_heads wide where the file does not say it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.families.deepseek import latent_attention
from dsv3calc.importers.family import HEAD_DIM_FROM_HEADS, KV_HEADS_AS_HEADS, Architecture, Family

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _latent(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    mini = reader.findings.model_type == "minicpm3"
    attention = latent_attention(reader, v_head_dim=1 if mini else None)
    if mini and not reader.has("v_head_dim"):
        names = ("hidden_size", attention["num_attention_heads"], "num_attention_heads")
        attention["v_head_dim"] = reader.quotient(hidden_size, *names)
    dense = parts.dense(reader.size("intermediate_size"), mlp_bias=mini and reader.flag("mlp_bias"))
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=[dense] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


_DEFAULTS = {
    "attention_bias": False,
    "num_key_value_heads": KV_HEADS_AS_HEADS,
    "tie_word_embeddings": True,
}
_IGNORED = frozenset(("head_dim", "qk_head_dim"))

FAMILIES = {
    "youtu": Family(
        architectures=("YoutuForCausalLM",),
        configuration="transformers' YoutuConfig",
        read=_latent,
        defaults=_DEFAULTS,
        ignored=_IGNORED | {"embedding_initializer_range"},
    ),
    "minicpm3": Family(
        architectures=("MiniCPM3ForCausalLM",),
        configuration="transformers' MiniCPM3Config",
        read=_latent,
        defaults=_DEFAULTS | {"mlp_bias": False, "v_head_dim": HEAD_DIM_FROM_HEADS},
        ignored=_IGNORED | {"dim_model_base", "scale_depth", "scale_emb"},
    ),
}
