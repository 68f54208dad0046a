"""DBRX: its own names for the widths, layer norms without biases, experts in every layer.

Read in transformers' modeling_dbrx.py: one fused projection for queries, keys and values, no
biases anywhere; two norms in a layer; gated experts of ffn_hidden_size; never tied.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.family import Architecture, Family
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _check_activation(feed_forward: Reader) -> None:
    """Accept an activation given as an object with a name: ``{"name": "silu"}``."""
    given = feed_forward.data.get("ffn_act_fn")
    feed_forward.skip("ffn_act_fn")
    if given not in (None, {"name": "silu"}, {"name": "gelu"}):
        feed_forward.refuse(
            "ffn_act_fn", f"ffn_act_fn is {quote(given)}", valid='null or {"name": "silu"}'
        )


def _dbrx(reader: Reader) -> Architecture:
    depth = reader.depth("n_layers")
    hidden_size = reader.size("d_model")
    heads = reader.size("n_heads")
    attn, ffn = reader.part("attn_config"), reader.part("ffn_config")
    attention = parts.gqa(
        heads,
        attn.size("kv_n_heads"),
        reader.quotient(hidden_size, "d_model", heads, "n_heads"),
    )
    experts = parts.moe(
        ffn.size("moe_num_experts"), ffn.size("moe_top_k"), ffn.size("ffn_hidden_size")
    )
    _check_activation(ffn)
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=[experts] * depth,
        norm="layer",
        max_position_embeddings=reader.positions("max_seq_len"),
    )


FAMILIES = {
    "dbrx": Family(
        architectures=("DbrxForCausalLM",),
        configuration="transformers' DbrxConfig",
        read=_dbrx,
        ignored=frozenset(
            (
                "clip_qkv",
                "moe_jitter_eps",
                "moe_loss_weight",
                "moe_normalize_expert_weights",
            )
        ),
        fixed={"tie_word_embeddings": (False,), "uniform_expert_assignment": (False,)},
        fields={
            "num_attention_heads": "n_heads",
            "num_key_value_heads": "kv_n_heads",
            "n_routed_experts": "moe_num_experts",
            "num_experts_per_tok": "moe_top_k",
            "moe_intermediate_size": "ffn_hidden_size",
            "hidden_size": "d_model",
            "num_hidden_layers": "n_layers",
            "max_position_embeddings": "max_seq_len",
        },
    )
}
