"""GLM-4.5 (model_type glm4_moe): grouped-query attention and DeepSeek-V3's kind of experts.

Read in transformers' modeling_glm4_moe.py: attention_bias covers query, key and value alone;
use_qk_norm norms queries and keys head by head; the router holds a routing bias. vLLM's
glm4_moe_mtp.py reads a copy of embedding and head with the multi-token-prediction module. GLM-4.5V
and 4.6V (glm4v_moe) hold such a model as text_config, without norms of queries and keys.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.families.llama import heads
from dsv3calc.importers.family import (
    HEAD_DIM_FROM_HEADS,
    MAIN_MODEL_ALONE,
    Architecture,
    Family,
)

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _glm4_moe(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    attention = parts.gqa(
        *heads(reader, hidden_size),
        attention_bias=reader.flag("attention_bias"),
        qk_norm="head" if reader.flag("use_qk_norm") else "none",
    )
    experts = parts.moe(
        reader.size("n_routed_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=reader.natural("n_shared_experts"),
        groups=(reader.size("n_group"), reader.size("topk_group")),
        routing_bias=True,
    )
    dense = parts.dense(reader.size("intermediate_size"))
    first = reader.natural("first_k_dense_replace")
    mtp = reader.natural("num_nextn_predict_layers", null=0)
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=[experts if layer >= first else dense for layer in range(depth)],
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
        mtp=(mtp, True) if mtp else None,
    )


_DEFAULTS = {
    "attention_bias": False,
    "head_dim": HEAD_DIM_FROM_HEADS,
    "n_group": 1,
    "num_nextn_predict_layers": MAIN_MODEL_ALONE,
    "tie_word_embeddings": False,
    "topk_group": 1,
    "use_qk_norm": False,
}
_TOKENS = frozenset(
    f"{what}_{end}"
    for what, end in (
        ("image", "token_id"),
        ("image", "start_token_id"),
        ("image", "end_token_id"),
        ("video", "token_id"),
        ("video", "start_token_id"),
        ("video", "end_token_id"),
    )
)

FAMILIES = {
    "glm4_moe": Family(
        architectures=("Glm4MoeForCausalLM",),
        configuration="transformers' Glm4MoeConfig",
        read=_glm4_moe,
        defaults=_DEFAULTS,
        ignored=frozenset(("routed_scaling_factor",)),
    ),
    "glm4v_moe_text": Family(
        architectures=("Glm4vMoeForConditionalGeneration",),
        configuration="transformers' Glm4vMoeTextConfig",
        read=_glm4_moe,
        defaults=_DEFAULTS | {"attention_bias": True},
        ignored=_TOKENS | {"num_local_experts", "routed_scaling_factor"},
    ),
    "glm4v_moe": Family(
        architectures=("Glm4vMoeForConditionalGeneration",),
        text="glm4v_moe_text",
        ignored=_TOKENS,
    ),
}
