"""gpt-oss: alternating sliding windows, attention sinks, experts with biases.

Read in transformers' modeling_gpt_oss.py: biases on all four projections, on the router and on
both matrices of each expert (a fused gate and up, and down); one sink per head.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.family import Architecture, Computed, Family
from dsv3calc.importers.layer_keys import layer_list

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _gpt_oss(reader: Reader) -> Architecture:
    depth = reader.depth()
    width = (
        reader.size("num_attention_heads"),
        reader.size("num_key_value_heads"),
        reader.size("head_dim"),
    )
    options: dict[str, Any] = {"attention_bias": True, "output_bias": True, "attention_sinks": True}
    kinds = {
        "full_attention": parts.gqa(*width, **options),
        "sliding_attention": parts.gqa(
            *width, sliding_window=reader.size("sliding_window"), **options
        ),
    }
    experts = parts.moe(
        reader.size("num_local_experts"),
        reader.size("num_experts_per_tok", "experts_per_token"),
        reader.size("intermediate_size"),
        router_bias=True,
        expert_bias=True,
    )
    full, sliding = kinds
    types = layer_list(
        reader, "layer_types", depth, (full, sliding), lambda layer: full if layer % 2 else sliding
    )
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=parts.spread(kinds, types),
        feed_forward=[experts] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


FAMILIES = {
    "gpt_oss": Family(
        architectures=("GptOssForCausalLM",),
        configuration="transformers' GptOssConfig",
        read=_gpt_oss,
        defaults={
            "layer_types": Computed(
                "every second layer attends to all tokens, the others to a window"
            ),
            "tie_word_embeddings": False,
        },
        ignored=frozenset(("initial_context_length", "swiglu_alpha", "swiglu_limit")),
        fixed={"attention_bias": (True,)},
        fields={
            "n_routed_experts": "num_local_experts",
            "moe_intermediate_size": "intermediate_size",
        },
    )
}
