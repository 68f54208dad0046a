"""BLOOM and MPT: attention with a bias by distance (ALiBi), and no embedding of positions.

Read in transformers' modeling_bloom.py and modeling_mpt.py: BLOOM has biases everywhere but in the
head, and a LayerNorm behind the embedding; MPT has none, in its norms neither, and its feed-forward
is four times as wide whatever expansion_ratio says. Both have as many key-value heads as heads.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.family import Architecture, Computed, Family

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_WIDER = 4
"""How many times as wide as the hidden state the feed-forwards are."""


def _architecture(reader: Reader, names: dict[str, str], *, bias: bool) -> Architecture:
    """Return a model by the names of its sizes, with biases or without."""
    depth = reader.depth(names["depth"])
    hidden_size = reader.size(*names["hidden"].split())
    count = reader.size(names["heads"])
    width = reader.quotient(hidden_size, names["hidden"].split()[0], count, names["heads"])
    attention = parts.gqa(count, count, width, attention_bias=bias, output_bias=bias)
    dense = parts.dense(_WIDER * hidden_size, gated=False, mlp_bias=bias)
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=[dense] * depth,
        norm="layer",
        norm_bias=bias,
        additions=[{"type": "embedding_norm"}] if bias else [],
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(names["longest"]),
    )


def _bloom(reader: Reader) -> Architecture:
    # newer files have the library's own names
    newer = {"depth": "num_hidden_layers", "heads": "num_attention_heads"}
    names = {"depth": "n_layer", "heads": "n_head"}
    names |= {name: key for name, key in newer.items() if reader.has(key)}
    reader.skip(*(key for key in newer.values() if not reader.has(key)))
    names |= {"hidden": "hidden_size n_embed", "longest": "seq_length"}
    return _architecture(reader, names, bias=True)


def _mpt(reader: Reader) -> Architecture:
    names = {"depth": "n_layers", "heads": "n_heads", "hidden": "d_model", "longest": "max_seq_len"}
    reader.part("attn_config")
    return _architecture(reader, names, bias=False)


_IN_ATTENTION = {
    "alibi": (True,),
    "attn_type": ("multihead_attention",),
    "prefix_lm": (False,),
    "qk_ln": (False,),
}

FAMILIES = {
    "bloom": Family(
        architectures=("BloomForCausalLM",),
        configuration="transformers' BloomConfig",
        read=_bloom,
        defaults={"tie_word_embeddings": True},
        ignored=frozenset(
            (
                "apply_residual_connection_post_layernorm",
                "attention_softmax_in_fp32",
                "bias_dropout_fusion",
                "masked_softmax_fusion",
                "offset_alibi",
                "skip_bias_add",
                "skip_bias_add_qkv",
                "slow_but_exact",
            )
        ),
    ),
    "mpt": Family(
        architectures=("MPTForCausalLM", "MptForCausalLM"),
        configuration="transformers' MptConfig",
        read=_mpt,
        defaults={
            "attn_config": Computed("attention of as many key-value heads as heads, with ALiBi"),
            "tie_word_embeddings": True,
        },
        ignored=frozenset(
            (
                "alibi_bias_max",
                "attn_impl",
                "attn_uses_sequence_id",
                "clip_qkv",
                "embedding_fraction",
                "init_config",
                "init_device",
                "learned_pos_emb",
                "logit_scale",
                "norm_type",
                "softmax_scale",
                "tokenizer_name",
                "verbose",
            )
        ),
        fixed=_IN_ATTENTION | {"expansion_ratio": (_WIDER,), "no_bias": (True,)},
    ),
}
