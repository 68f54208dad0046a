"""Mistral's own params.json: dense models, mixtures, and Mistral Large 3 with latent attention.

Read in vLLM's mistral.py and mistral_large_3.py: a file with q_lora_rank or kv_lora_rank is
DeepSeek-V3's layout without a routing bias; experts of moe stand from first_k_dense_replace on in
every route_every_n-th layer. There are no biases, and tied_embeddings says whether head and
embedding are one.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.family import KV_HEADS_AS_HEADS, Architecture, Computed, Family

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _attention(reader: Reader, hidden_size: int) -> dict[str, Any]:
    count = reader.size("n_heads")
    if reader.has("kv_lora_rank"):
        reader.skip("head_dim", "n_kv_heads")
        names = ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
        return {
            "type": "mla",
            "num_attention_heads": count,
            "q_lora_rank": reader.optional_size("q_lora_rank"),
        } | {name: reader.size(name) for name in names}
    width = reader.quotient(hidden_size, "dim", count, "n_heads")
    return parts.gqa(
        count,
        reader.size("n_kv_heads", computed=count),
        reader.size("head_dim", computed=width),
        sliding_window=reader.optional_size("sliding_window"),
    )


def _feed_forward(reader: Reader, depth: int) -> list[dict[str, Any]]:
    width = reader.size("hidden_dim")
    dense = parts.dense(width)
    if not reader.has("moe"):
        reader.skip("moe")
        return [dense] * depth
    part = reader.part("moe")
    groups = part.size("num_expert_groups"), part.size("num_expert_groups_per_tok")
    experts = parts.moe(
        part.size("num_experts"),
        part.size("num_experts_per_tok"),
        part.size("expert_hidden_dim", computed=width),
        n_shared_experts=part.natural("num_shared_experts"),
        groups=groups,
    )
    first, every = part.natural("first_k_dense_replace"), part.size("route_every_n")
    return [experts if layer >= first and layer % every == 0 else dense for layer in range(depth)]


def _read(reader: Reader) -> Architecture:
    depth = reader.depth("n_layers")
    hidden_size = reader.size("dim")
    reader.activation("activation")
    if reader.has("vision_encoder"):
        text = "vision_encoder is left out: only the language model is counted"
        reader.findings.assumed["vision_encoder"] = text
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[_attention(reader, hidden_size)] * depth,
        feed_forward=_feed_forward(reader, depth),
        tie_word_embeddings=reader.flag("tied_embeddings"),
        max_position_embeddings=reader.positions("max_position_embeddings", "max_seq_len"),
    )


FAMILIES = {
    "mistral_params": Family(
        architectures=("MistralForCausalLM", "MistralLarge3ForCausalLM"),
        configuration="Mistral's own reader's",
        read=_read,
        defaults={
            "head_dim": Computed("dim / n_heads, as in the modelling code"),
            "moe.expert_hidden_dim": Computed("hidden_dim, as in Mixtral"),
            "moe.first_k_dense_replace": 0,
            "moe.num_expert_groups": 1,
            "moe.num_expert_groups_per_tok": 1,
            "moe.num_shared_experts": 0,
            "moe.route_every_n": 1,
            "n_kv_heads": KV_HEADS_AS_HEADS,
            "q_lora_rank": None,
            "sliding_window": None,
            "tied_embeddings": False,
        },
        ignored=frozenset(
            (
                "causal",
                "expert_model_parallel",
                "expert_parallel",
                "llama_4_scaling",
                "max_batch_size",
                "model_parallel",
                "norm_eps",
                "ragged_attention",
                "routed_scale",
                "vision_encoder",
                "yarn",
            )
        ),
        fixed={"model_type": ("transformer",), "use_biases": (False,)},
        fields={"num_attention_heads": "n_heads", "num_key_value_heads": "n_kv_heads"},
    )
}
