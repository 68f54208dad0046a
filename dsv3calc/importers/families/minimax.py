"""MiniMax-M2: grouped-query attention with norms over whole projections, experts in every layer.

Read in transformers' modeling_minimax_m2.py: no biases but the routing bias; query and key norms
have a weight for each channel of the whole projection (qk_norm_type per_layer).
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.importers import parts
from dsv3calc.importers.family import NO_CHOICE, Architecture, Computed, Family, Mtp
from dsv3calc.importers.layer_keys import layer_list

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _mtp(reader: Reader) -> Mtp | None:
    """Return the prediction modules, which the published checkpoint does not hold."""
    if not reader.flag("use_mtp"):
        reader.skip("num_mtp_modules", "mtp_transformer_layers")
        return None
    modules = reader.size("num_mtp_modules")
    layers = reader.size("mtp_transformer_layers")
    if layers != 1 and reader.sound("mtp_transformer_layers"):
        reader.refuse(
            "mtp_transformer_layers",
            f"{layers} layers in one multi-token-prediction module",
            valid="1",
        )
    reader.findings.assumed["use_mtp"] = (
        f"mtp = {modules} modules of one layer each, joined as DeepSeek-V3's are: the published "
        "checkpoint and code hold none to check against"
    )
    return modules, False


def _minimax_m2(reader: Reader) -> Architecture:
    depth = reader.depth()
    qk_norm = "hidden" if reader.flag("use_qk_norm") else "none"
    reader.choice("qk_norm_type", "per_layer")
    attention = parts.gqa(
        reader.size("num_attention_heads"),
        reader.size("num_key_value_heads"),
        reader.size("head_dim"),
        qk_norm=qk_norm,
    )
    experts = parts.moe(
        reader.size("num_local_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("intermediate_size"),
        routing_bias=reader.flag("use_routing_bias"),
    )
    layer_list(reader, "attn_type_list", depth, (1,), lambda _: 1)
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=[experts] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
        mtp=_mtp(reader),
    )


FAMILIES = {
    "minimax_m2": Family(
        architectures=("MiniMaxM2ForCausalLM",),
        configuration="transformers' MiniMaxM2Config",
        read=_minimax_m2,
        defaults={
            "use_qk_norm": Computed(NO_CHOICE, value=True),
            "qk_norm_type": Computed(NO_CHOICE, "per_layer"),
            "use_routing_bias": Computed(NO_CHOICE, value=True),
            "use_mtp": Computed(NO_CHOICE, value=False),
            "attn_type_list": Computed("transformers' modelling code has full attention alone"),
            "tie_word_embeddings": False,
        },
        ignored=frozenset(
            (
                "layernorm_full_attention_beta",
                "layernorm_linear_attention_beta",
                "layernorm_mlp_beta",
                "mlp_intermediate_size",
                "scoring_func",
                "shared_moe_mode",
            )
        ),
        fp8="fp8-minimax-m2",
        fixed={"sliding_window": (None,), "shared_intermediate_size": (0,)},
        fields={
            "n_routed_experts": "num_local_experts",
            "moe_intermediate_size": "intermediate_size",
        },
    )
}
