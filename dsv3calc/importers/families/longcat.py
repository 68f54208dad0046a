"""LongCat-Flash: two attentions and two dense feed-forwards in a layer, and experts beside them.

Read in transformers' modeling_longcat_flash.py: the experts read what the first feed-forward reads,
and their output is added at the end of the layer; 256 of the router's choices return a token as it
is. A layer is written here as three: attention and feed-forward, the experts alone, attention and
feed-forward. The routing bias is a buffer.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.families.deepseek import latent_attention
from dsv3calc.importers.family import KV_HEADS_AS_HEADS, Architecture, Family

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _read(reader: Reader) -> Architecture:
    depth = reader.depth("num_layers")
    reader.skip("num_hidden_layers")
    if reader.has("num_hidden_layers") and reader.data["num_hidden_layers"] not in (
        depth,
        2 * depth,
    ):
        reader.refuse(
            "num_hidden_layers",
            f"num_hidden_layers is {reader.data['num_hidden_layers']} for {depth} layers",
            why="transformers writes twice num_layers, one for each attention",
        )
    attention = latent_attention(reader)
    dense = parts.dense(reader.size("ffn_hidden_size", "intermediate_size"))
    experts = parts.moe(
        reader.size("n_routed_experts"),
        reader.size("moe_topk", "num_experts_per_tok"),
        reader.size("expert_ffn_hidden_size", "moe_intermediate_size"),
        routing_bias=True,
        zero_expert_num=reader.natural("zero_expert_num"),
    )
    reader.activation("hidden_act")
    reader.findings.assumed["num_layers"] = (
        f"num_layers {depth}: a layer is written as three, attention with a feed-forward, experts "
        "alone, attention with a feed-forward"
    )
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=[attention, None, attention] * depth,
        feed_forward=[dense, experts, dense] * depth,
        block_norms=[2, 0, 2] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


FAMILIES = {
    "longcat_flash": Family(
        architectures=("LongcatFlashForCausalLM",),
        configuration="transformers' LongcatFlashConfig",
        read=_read,
        defaults={
            "attention_bias": False,
            "num_key_value_heads": KV_HEADS_AS_HEADS,
            "tie_word_embeddings": False,
            "zero_expert_num": 256,
        },
        ignored=frozenset(
            (
                "attention_method",
                "head_dim",
                "mla_scale_kv_lora",
                "mla_scale_q_lora",
                "qk_head_dim",
                "routed_scaling_factor",
                "use_mla",
                "zero_expert_type",
            )
        ),
        fixed={"router_bias": (False,)},
        fields={
            "num_experts_per_tok": "moe_topk",
            "moe_intermediate_size": "expert_ffn_hidden_size",
            "intermediate_size": "ffn_hidden_size",
        },
    )
}
