"""Kimi-Linear, Kimi-K3 and Ling's hybrids: Kimi Delta Attention with latent attention between.

Read in transformers' modeling_kimi_linear.py and modeling_bailing_hybrid.py: the convolutions have
no bias; keys of latent attention keep their 64 rotary channels, also where no rotation is applied;
the routing bias is a buffer. Ling's gates are of full rank, and its latent attention has a gate
for each head. Kimi-K3 has no class in transformers 5.24: its experts on a latent width, its full
gates and its attention residuals are read off its file and off published descriptions.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.families.deepseek import latent_attention
from dsv3calc.importers.families.deepseek1 import mixed
from dsv3calc.importers.family import (
    KV_HEADS_AS_HEADS,
    MAIN_MODEL_ALONE,
    NO_CHOICE,
    Architecture,
    Computed,
    Family,
)
from dsv3calc.importers.layer_keys import layer_indices, layer_list

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_FULL, _LINEAR = "full_attention", "linear_attention"
_LATENT_KEY = "routed_expert_hidden_size"


class _Delta:
    """What a file says of its delta attention: sizes, and the layers that have it."""

    def __init__(self, reader: Reader, depth: int) -> None:
        self.full_rank = reader.findings.model_type == "bailing_hybrid"
        self.heads = self.head_dim = self.kernel = 1
        if reader.has("linear_attn_config"):
            reader.skip("layer_types", "linear_num_heads", "linear_head_dim")
            reader.skip("linear_conv_kernel_dim", "short_conv_kernel_size", "layer_group_size")
            self._nested(reader.part("linear_attn_config"), depth)
            return
        reader.skip("linear_attn_config")
        self.heads = reader.size("linear_num_heads")
        self.head_dim = reader.size("linear_head_dim")
        self.kernel = reader.size("linear_conv_kernel_dim", "short_conv_kernel_size")
        if reader.has("layer_types"):
            reader.skip("layer_group_size")
            self.types = layer_list(reader, "layer_types", depth, (_LINEAR, _FULL))
            return
        reader.skip("layer_types")
        period = reader.size("layer_group_size")
        self.types = [_LINEAR if (layer + 1) % period else _FULL for layer in range(depth)]

    def _nested(self, part: Reader, depth: int) -> None:
        """Read the object of the published files, whose layers are numbered from 1."""
        self.heads, self.head_dim = part.size("num_heads"), part.size("head_dim")
        self.kernel = part.size("short_conv_kernel_size")
        self.full_rank = part.flag("use_full_rank_gate")
        part.skip("gate_lower_bound")
        full = layer_indices(part, "full_attn_layers", depth, first=1) or set()
        linear = layer_indices(part, "kda_layers", depth, first=1) or set()
        both = sorted(full & linear)
        missing = sorted(set(range(1, depth + 1)) - full - linear)
        if both and part.sound("kda_layers", "full_attn_layers"):
            what = f"layer {both[0]} is in full_attn_layers too"
            part.refuse("kda_layers", what, why="a layer has one or the other")
        elif missing and part.sound("kda_layers", "full_attn_layers", "num_hidden_layers"):
            what = f"layer {missing[0]} is neither here nor in kda_layers"
            part.refuse("full_attn_layers", what, valid=f"layers 1 to {depth}, each once")
        self.types = [_FULL if layer in full else _LINEAR for layer in range(1, depth + 1)]

    def mixer(self, *, forget: str) -> dict[str, Any]:
        """Return the schema's plain data."""
        mixer: dict[str, Any] = {
            "type": "kda",
            "linear_num_heads": self.heads,
            "linear_head_dim": self.head_dim,
            "linear_conv_kernel_dim": self.kernel,
        }
        if forget == "full":
            mixer["forget_gate"] = "full"
        return mixer | ({"output_gate": "full"} if self.full_rank else {})


def _experts(reader: Reader) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if reader.has(_LATENT_KEY):
        more = {
            "moe_latent_size": reader.size(_LATENT_KEY),
            "moe_latent_norm": reader.flag("latent_moe_use_norm"),
        }
    reader.skip(_LATENT_KEY, "latent_moe_use_norm")
    groups = reader.size("num_expert_group", "n_group"), reader.size("topk_group")
    return parts.moe(
        reader.size("num_experts", "num_local_experts"),
        reader.size("num_experts_per_token", "num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=reader.natural("num_shared_experts"),
        groups=groups,
        routing_bias=True,
        **more,
    )


def _feed_forward(reader: Reader, depth: int) -> list[dict[str, Any]]:
    experts = _experts(reader)
    dense = parts.dense(reader.size("intermediate_size"))
    if reader.has("mlp_layer_types"):
        reader.skip("first_k_dense_replace", "moe_layer_freq")
        types = layer_list(reader, "mlp_layer_types", depth, ("dense", "sparse"))
        return parts.spread({"dense": dense, "sparse": experts}, types)
    return mixed(reader, depth, dense, experts)


def _read(reader: Reader) -> Architecture:
    depth = reader.depth()
    bailing = reader.findings.model_type == "bailing_hybrid"
    delta = _Delta(reader, depth)
    attention = latent_attention(reader)
    gate = "head" if bailing else "channel" if reader.flag("mla_use_output_gate") else "none"
    if gate != "none":
        attention["output_gate"] = gate
    mixer = delta.mixer(forget="full" if bailing else "low-rank")
    additions = []
    reader.skip("attn_res_block_size")
    if reader.has("attn_res_block_size"):
        size = reader.size("attn_res_block_size")
        additions.append({"type": "attention_residuals", "attn_res_block_size": size})
        reader.findings.assumed["attn_res_block_size"] = (
            "attention residuals: a norm and a projection to one number before attention and "
            "before the feed-forward of each layer and at the end, as published descriptions of "
            "Kimi-K3 have them; their products are not counted: 4 x hidden_size FLOPs for each "
            "output that is read, 28.7 MFLOP a token and 0.01 % of its total there"
        )
    mtp = reader.natural("num_nextn_predict_layers", null=0)
    reader.activation("hidden_act")
    tied = reader.flag("tie_word_embeddings")
    if tied and reader.findings.model_type == "bailing_hybrid":
        what, why = "tie_word_embeddings is true", "the modelling code ties no weights"
        reader.refuse("tie_word_embeddings", what, why=why, valid="false")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=[attention if kind == _FULL else None for kind in delta.types],
        mixer=[mixer if kind == _LINEAR else None for kind in delta.types],
        feed_forward=_feed_forward(reader, depth),
        tie_word_embeddings=tied,
        max_position_embeddings=reader.positions("max_position_embeddings", "model_max_length"),
        additions=additions,
        mtp=(mtp, False) if mtp else None,
        mtp_stored=True,
    )


_DEFAULTS: dict[str, Any] = {
    "attention_bias": False,
    "linear_attn_config.use_full_rank_gate": False,
    "mla_use_output_gate": Computed(NO_CHOICE, value=False),
    "moe_layer_freq": Computed(NO_CHOICE, 1),
    "num_expert_group": 1,
    "num_key_value_heads": KV_HEADS_AS_HEADS,
    "num_nextn_predict_layers": MAIN_MODEL_ALONE,
    "tie_word_embeddings": False,
    "topk_group": 1,
}

_IGNORED = frozenset(
    (
        "activation_situ_beta",
        "activation_situ_linear_beta",
        "head_dim",
        "kda_lower_bound",
        "kda_safe_gate",
        "mla_use_nope",
        "moe_renormalize",
        "moe_router_activation_func",
        "mtp_loss_scaling_factor",
        "n_group",
        "num_local_experts",
        "qk_head_dim",
        "routed_scaling_factor",
        "topk_method",
        "use_grouped_topk",
    )
)

FAMILIES = {
    "kimi_linear": Family(
        architectures=("KimiLinearForCausalLM",),
        configuration="transformers' KimiLinearConfig",
        read=_read,
        defaults=_DEFAULTS,
        ignored=_IGNORED,
        fields={
            "n_routed_experts": "num_experts",
            "num_experts_per_tok": "num_experts_per_token",
            "n_group": "num_expert_group",
        },
    ),
    "bailing_hybrid": Family(
        architectures=("BailingHybridForCausalLM",),
        configuration="transformers' BailingHybridConfig",
        read=_read,
        defaults=_DEFAULTS | {"num_expert_group": 8, "topk_group": 4},
        ignored=_IGNORED,
        fields={
            "n_routed_experts": "num_experts",
            "num_experts_per_tok": "num_experts_per_token",
            "n_group": "num_expert_group",
        },
    ),
    "kimi_k3": Family(
        architectures=("KimiK3ForConditionalGeneration",),
        text="kimi_linear",
        vision="moonvit_3d",
        ignored=frozenset(
            ("ignore_index", "image_placeholder", "media_placeholder_token_id", "video_placeholder")
        ),
    ),
}
