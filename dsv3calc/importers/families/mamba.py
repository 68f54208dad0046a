"""Mamba, Mamba-2, Falcon-H1, Granite 4, Bamba and Jamba: state spaces alone or with attention.

Read in transformers' modeling_mamba.py, _falcon_mamba.py, _mamba2.py, _falcon_h1.py,
_granitemoehybrid.py, _bamba.py and _jamba.py: the convolution has a bias where its key says so and
the projections none; the norm behind the recurrence is as wide as the inner channels, and
Falcon-H1 has it on request alone.
Falcon-H1 adds attention and Mamba-2 of one input in every layer; a layer of Mamba-2 has one norm
and no feed-forward; Granite's shared expert has a width of its own, and without routed ones it is
the feed-forward; Jamba norms the step and both sides of the state.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.families.llama import heads
from dsv3calc.importers.family import (
    HEAD_DIM_FROM_HEADS,
    KV_HEADS_AS_HEADS,
    Architecture,
    Computed,
    Family,
)
from dsv3calc.importers.layer_keys import layer_indices, layer_list

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_EXPANDED = "mamba_expand x hidden_size, as in the modelling code"


def _auto(reader: Reader, name: str) -> bool:
    """Tell whether a width is left to the modelling code: null, or the word auto."""
    return reader.data.get(name, "auto") in ("auto", None)


def _mamba2(reader: Reader, hidden_size: int) -> dict[str, Any]:
    """Return Mamba-2 of Falcon-H1 and Granite, whose keys begin with mamba."""
    if reader.has("mamba_d_ssm"):
        reader.skip("mamba_expand")
        inner = reader.size("mamba_d_ssm")
    else:
        reader.skip("mamba_d_ssm")
        inner = reader.size("mamba_expand") * hidden_size
    count = reader.size("mamba_n_heads")
    if _auto(reader, "mamba_d_head"):
        reader.skip("mamba_d_head")
        head_dim = reader.quotient(inner, "mamba_expand", count, "mamba_n_heads")
    else:
        head_dim = reader.size("mamba_d_head")
    sound = reader.sound("mamba_d_head", "mamba_n_heads", "mamba_d_ssm", "mamba_expand")
    if count * head_dim != inner and sound:
        reader.refuse(
            "mamba_d_head",
            f"{count} heads of {head_dim} channels are not the {inner} inner channels",
            why="mamba_d_ssm, or mamba_expand x hidden_size, is what the heads divide",
        )
    return {
        "type": "mamba2",
        "mamba_num_heads": count,
        "mamba_head_dim": head_dim,
        "ssm_state_size": reader.size("mamba_d_state"),
        "n_groups": reader.size("mamba_n_groups"),
        "conv_kernel": reader.size("mamba_d_conv"),
        "chunk_size": reader.size("mamba_chunk_size"),
        "conv_bias": reader.flag("mamba_conv_bias"),
        "proj_bias": reader.flag("mamba_proj_bias"),
    }


def _pure(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    count, head_dim = reader.size("num_heads"), reader.size("head_dim")
    inner = reader.size("expand") * hidden_size
    if count * head_dim != inner and reader.sound("num_heads", "head_dim", "expand"):
        what = f"{count} heads of {head_dim} channels are not expand x hidden_size, {inner}"
        reader.refuse("num_heads", what, why="the modelling code divides the inner channels")
    mixer = {
        "type": "mamba2",
        "mamba_num_heads": count,
        "mamba_head_dim": head_dim,
        "ssm_state_size": reader.size("state_size"),
        "n_groups": reader.size("n_groups"),
        "conv_kernel": reader.size("conv_kernel"),
        "chunk_size": reader.size("chunk_size"),
        "conv_bias": reader.flag("use_conv_bias"),
        "proj_bias": reader.flag("use_bias"),
    }
    return _mixers_alone(reader, hidden_size, depth, mixer)


def _mixers_alone(
    reader: Reader, hidden_size: int, depth: int, mixer: dict[str, Any]
) -> Architecture:
    """Return a model whose layers are one mixer each."""
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[None] * depth,
        mixer=[mixer] * depth,
        feed_forward=[None] * depth,
        block_norms=1,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
    )


def _mamba1(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    if _auto(reader, "time_step_rank"):
        reader.skip("time_step_rank")
        rank = -(-hidden_size // 16)
    else:
        rank = reader.size("time_step_rank")
    expanded = reader.size("expand") * hidden_size
    mixer = {
        "type": "mamba",
        "mamba_inner_size": reader.size("intermediate_size", "d_inner", computed=expanded),
        "ssm_state_size": reader.size("state_size"),
        "time_step_rank": rank,
        "conv_kernel": reader.size("conv_kernel"),
        "conv_bias": reader.flag("use_conv_bias"),
        "proj_bias": reader.flag("use_bias"),
    }
    return _mixers_alone(reader, hidden_size, depth, mixer)


def _bamba(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    mixer = _mamba2(reader, hidden_size)
    attends = layer_indices(reader, "attn_layer_indices", depth) or set()
    attention = _attention(reader, hidden_size)
    dense = parts.dense(reader.size("intermediate_size"), mlp_bias=reader.flag("mlp_bias"))
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention if layer in attends else None for layer in range(depth)],
        mixer=[None if layer in attends else mixer for layer in range(depth)],
        feed_forward=[dense] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


def _attention(reader: Reader, hidden_size: int) -> dict[str, Any]:
    bias = reader.flag("attention_bias")
    return parts.gqa(*heads(reader, hidden_size), attention_bias=bias, output_bias=bias)


def _falcon_h1(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    mixer = _mamba2(reader, hidden_size)
    if not reader.flag("mamba_rms_norm"):
        mixer["gated_norm"] = False
    if mixer["proj_bias"] and reader.sound("mamba_proj_bias"):
        what = "mamba_proj_bias is true: biases of the input projection alone are not counted"
        reader.refuse("mamba_proj_bias", what, valid="false")
    dense = parts.dense(reader.size("intermediate_size"), mlp_bias=reader.flag("mlp_bias"))
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[_attention(reader, hidden_size)] * depth,
        mixer=[mixer] * depth,
        feed_forward=[dense] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


def _granite(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    names = {"mamba": "mamba", "linear_attention": "mamba"}
    names |= {"attention": "attention", "full_attention": "attention"}
    key = "layers_block_type" if reader.has("layers_block_type") else "layer_types"
    types = [names[kind] for kind in layer_list(reader, key, depth, tuple(names))]
    reader.skip("layer_types", "layers_block_type")
    reader.skip(*_ATTENTION_KEYS, *_MAMBA_KEYS)  # of parts that no layer may have
    attention = _attention(reader, hidden_size) if "attention" in types else None
    mixer = _mamba2(reader, hidden_size) if "mamba" in types else None
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention if kind == "attention" else None for kind in types],
        mixer=[mixer if kind == "mamba" else None for kind in types],
        feed_forward=[_granite_feed_forward(reader)] * depth,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


def _granite_feed_forward(reader: Reader) -> dict[str, Any]:
    width = reader.size("shared_intermediate_size")
    count = reader.natural("num_local_experts")
    if not count:
        reader.skip("num_experts_per_tok", "intermediate_size")
        return parts.dense(width)
    return parts.moe(
        count,
        reader.size("num_experts_per_tok"),
        reader.size("intermediate_size"),
        n_shared_experts=1,
        shared_expert_intermediate_size=width,
    )


def _jamba(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    if _auto(reader, "mamba_dt_rank"):
        reader.skip("mamba_dt_rank")
        rank = -(-hidden_size // 16)
    else:
        rank = reader.size("mamba_dt_rank")
    mixer = {
        "type": "mamba",
        "mamba_inner_size": reader.size("mamba_expand") * hidden_size,
        "ssm_state_size": reader.size("mamba_d_state"),
        "time_step_rank": rank,
        "conv_kernel": reader.size("mamba_d_conv"),
        "conv_bias": reader.flag("mamba_conv_bias"),
        "proj_bias": reader.flag("mamba_proj_bias"),
        "inner_norms": True,
    }
    attends = _period(reader, depth, "attn_layer_period", "attn_layer_offset")
    attention = parts.gqa(*heads(reader, hidden_size))
    reader.activation("hidden_act")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention if chosen else None for chosen in attends],
        mixer=[None if chosen else mixer for chosen in attends],
        feed_forward=_jamba_feed_forward(reader, depth),
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


def _jamba_feed_forward(reader: Reader, depth: int) -> list[dict[str, Any]]:
    width = reader.size("intermediate_size")
    dense = parts.dense(width)
    sparse = _period(reader, depth, "expert_layer_period", "expert_layer_offset")
    count, chosen = reader.size("num_experts"), reader.size("num_experts_per_tok")
    if count == 1:  # the modelling code then has a feed-forward without a router
        return [dense] * depth
    experts = parts.moe(count, chosen, width)
    return [experts if each else dense for each in sparse]


def _period(reader: Reader, depth: int, period: str, offset: str) -> list[bool]:
    every, first = reader.size(period), reader.natural(offset)
    if first >= every and reader.sound(period, offset):
        reader.refuse(offset, f"{offset} {first} is not below {period} {every}")
    return [layer % every == first for layer in range(depth)]


_ATTENTION_KEYS = ("attention_bias", "head_dim", "num_attention_heads", "num_key_value_heads")
_MAMBA_KEYS = (
    "mamba_chunk_size",
    "mamba_conv_bias",
    "mamba_d_conv",
    "mamba_d_head",
    "mamba_d_ssm",
    "mamba_d_state",
    "mamba_expand",
    "mamba_n_groups",
    "mamba_n_heads",
    "mamba_proj_bias",
)
_NUMERICS = frozenset(
    (
        "mamba_cache_dtype",
        "num_logits_to_keep",
        "rescale_prenorm_residual",
        "residual_in_fp32",
        "time_step_floor",
        "time_step_limit",
        "time_step_max",
        "time_step_min",
        "time_step_rank",
        "use_associative_scan",
        "use_mamba_kernels",
        "use_mambapy",
    )
)
_ATTENTION = {
    "attention_bias": False,
    "head_dim": HEAD_DIM_FROM_HEADS,
    "mamba_conv_bias": True,
    "mamba_proj_bias": False,
    "num_key_value_heads": KV_HEADS_AS_HEADS,
    "tie_word_embeddings": False,
}

_MAMBA1 = {
    "conv_kernel": 4,
    "expand": 2,
    "intermediate_size": Computed("expand x hidden_size, as in the modelling code"),
    "state_size": 16,
    "tie_word_embeddings": True,
    "use_bias": False,
    "use_conv_bias": True,
}
_MAMBA1_IGNORED = (_NUMERICS - {"time_step_rank"}) | {
    "d_model", "fused_add_norm", "mixer_rms_eps", "n_layer", "pad_vocab_size_multiple",
    "rms_norm", "ssm_cfg", "time_step_init_scheme", "time_step_scale",
}  # fmt: skip

FAMILIES = {
    "mamba": Family(
        architectures=("MambaForCausalLM",),
        configuration="transformers' MambaConfig",
        read=_mamba1,
        defaults=_MAMBA1,
        ignored=_MAMBA1_IGNORED,
    ),
    "falcon_mamba": Family(
        architectures=("FalconMambaForCausalLM",),
        configuration="transformers' FalconMambaConfig",
        read=_mamba1,
        defaults=_MAMBA1,
        ignored=_MAMBA1_IGNORED,
    ),
    "bamba": Family(
        architectures=("BambaForCausalLM",),
        configuration="transformers' BambaConfig",
        read=_bamba,
        defaults=_ATTENTION
        | {
            "attn_layer_indices": Computed("no layer has attention"),
            "mamba_chunk_size": 256,
            "mamba_d_conv": 4,
            "mamba_d_state": 256,
            "mamba_expand": 2,
            "mamba_n_groups": 1,
            "mlp_bias": False,
        },
        ignored=_NUMERICS | {"attn_rotary_emb", "z_loss_coefficient"},
        fields={"mamba_num_heads": "mamba_n_heads", "n_groups": "mamba_n_groups"},
    ),
    "mamba2": Family(
        architectures=("Mamba2ForCausalLM",),
        configuration="transformers' Mamba2Config",
        read=_pure,
        defaults={
            "chunk_size": 256,
            "conv_kernel": 4,
            "expand": 2,
            "tie_word_embeddings": False,
            "use_bias": False,
            "use_conv_bias": True,
        },
        ignored=_NUMERICS,
        fields={"mamba_num_heads": "num_heads"},
    ),
    "falcon_h1": Family(
        architectures=("FalconH1ForCausalLM",),
        configuration="transformers' FalconH1Config",
        read=_falcon_h1,
        defaults=_ATTENTION
        | {
            "mamba_chunk_size": 256,
            "mamba_d_conv": 4,
            "mamba_expand": Computed(_EXPANDED, 2),
            "mamba_n_groups": 1,
            "mamba_rms_norm": False,
            "mlp_bias": False,
        },
        ignored=_NUMERICS
        | {
            "attention_in_multiplier",
            "attention_out_multiplier",
            "embedding_multiplier",
            "key_multiplier",
            "lm_head_multiplier",
            "mamba_norm_before_gate",
            "mamba_use_mlp",
            "mlp_expansion_factor",
            "mlp_multipliers",
            "ssm_in_multiplier",
            "ssm_multipliers",
            "ssm_out_multiplier",
        },
        fixed={"projectors_bias": (False,)},
        fields={"mamba_num_heads": "mamba_n_heads", "n_groups": "mamba_n_groups"},
    ),
    "granitemoehybrid": Family(
        architectures=("GraniteMoeHybridForCausalLM",),
        configuration="transformers' GraniteMoeHybridConfig",
        read=_granite,
        defaults=_ATTENTION
        | {
            "mamba_chunk_size": 256,
            "mamba_d_conv": 4,
            "mamba_d_state": 256,
            "mamba_expand": 2,
            "mamba_n_groups": 1,
        },
        ignored=_NUMERICS
        | {
            "attention_multiplier",
            "embedding_multiplier",
            "init_method",
            "logits_scaling",
            "normalization_function",
            "position_embedding_type",
            "residual_multiplier",
        },
        fields={
            "mamba_num_heads": "mamba_n_heads",
            "n_groups": "mamba_n_groups",
            "n_routed_experts": "num_local_experts",
            "moe_intermediate_size": "intermediate_size",
        },
    ),
    "jamba": Family(
        architectures=("JambaForCausalLM",),
        configuration="transformers' JambaConfig",
        read=_jamba,
        defaults=_ATTENTION
        | {
            "attn_layer_offset": 4,
            "attn_layer_period": 8,
            "expert_layer_offset": 1,
            "expert_layer_period": 2,
            "mamba_d_conv": 4,
            "mamba_d_state": 16,
            "mamba_expand": 2,
        },
        ignored=_NUMERICS,
        fixed={"sliding_window": (None,)},
        fields={"n_routed_experts": "num_experts", "moe_intermediate_size": "intermediate_size"},
    ),
}
