"""Gemma 3n and 4: layers that share keys and values, heads of two widths, per-layer embeddings.

Read in transformers' modeling_gemma3n.py and modeling_gemma4.py: the last num_kv_shared_layers
layers use the keys and values of the last earlier layer of their type. Gemma 4's layers that see
everything have heads of global_head_dim and, under attention_k_eq_v, num_global_key_value_heads
and values from the keys' projection; its experts stand beside a dense feed-forward, with three
norms more. Queries and keys are normed head by head, values by a norm without weights.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.family import Architecture, Computed, Family
from dsv3calc.importers.layer_keys import layer_list, layer_overrides
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_FULL, _SLIDING = "full_attention", "sliding_attention"


def _types(reader: Reader, depth: int, pattern: int) -> list[str]:
    return layer_list(
        reader,
        "layer_types",
        depth,
        (_FULL, _SLIDING),
        lambda layer: _SLIDING if (layer + 1) % pattern else _FULL,
    )


def _shared(reader: Reader, depth: int, types: list[str]) -> int:
    """Return the first layer that uses the keys and values of an earlier one."""
    shared = reader.natural("num_kv_shared_layers")
    first = depth - shared
    sound = reader.sound("num_kv_shared_layers", "layer_types", "num_hidden_layers")
    if sound and (first < 0 or not set(types[first:]) <= set(types[: max(first, 0)])):
        reader.refuse(
            "num_kv_shared_layers",
            f"{shared} layers of {depth} share keys and values",
            why="an earlier layer of each type must have its own",
        )
        return depth
    return first


def _spread(
    kinds: dict[str, dict[str, Any]], types: list[str], first_shared: int
) -> list[dict[str, Any]]:
    """Return the attention of each layer; from the first shared one on without keys and values."""
    reused = {name: kind | {"key_values": "earlier-layer"} for name, kind in kinds.items()}
    return [(kinds if layer < first_shared else reused)[name] for layer, name in enumerate(types)]


def _per_layer_input(reader: Reader) -> list[dict[str, Any]]:
    width = reader.natural("hidden_size_per_layer_input")
    if not width:
        reader.skip("vocab_size_per_layer_input")
        return []
    rows = reader.size("vocab_size_per_layer_input")
    return [
        {
            "type": "per_layer_input",
            "vocab_size_per_layer_input": rows,
            "hidden_size_per_layer_input": width,
        }
    ]


def _widths(reader: Reader, depth: int) -> list[int]:
    """Return the width of each layer's feed-forward, given once or in a list."""
    given = reader.data.get("intermediate_size")
    if not isinstance(given, list):
        return [reader.size("intermediate_size")] * depth
    reader.skip("intermediate_size")
    sound = [one for one in given if isinstance(one, int) and not isinstance(one, bool) and one > 0]
    if not reader.sound("num_hidden_layers"):
        return [1] * depth
    if len(sound) != len(given) or len(given) != depth:
        what = f"intermediate_size is {quote(given)}"
        reader.refuse("intermediate_size", what, valid=f"one, or {depth} in a list")
        return [1] * depth
    return sound


def _gemma3n(reader: Reader) -> Architecture:
    depth = reader.depth()
    width = (
        reader.size("num_attention_heads"),
        reader.size("num_key_value_heads"),
        reader.size("head_dim"),
    )
    bias = reader.flag("attention_bias")
    options: dict[str, Any] = {"attention_bias": bias, "output_bias": bias, "qk_norm": "head"}
    kinds = {
        _FULL: parts.gqa(*width, **options),
        _SLIDING: parts.gqa(*width, sliding_window=reader.size("sliding_window"), **options),
    }
    types = _types(reader, depth, 5)
    widths = _widths(reader, depth)
    dense = {size: parts.dense(size) for size in widths}
    reader.activation("hidden_activation")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=_spread(kinds, types, _shared(reader, depth, types)),
        feed_forward=[dense[size] for size in widths],
        block_norms=4,
        additions=[
            {"type": "altup", "altup_num_inputs": reader.size("altup_num_inputs")},
            {"type": "laurel", "laurel_rank": reader.size("laurel_rank")},
            *_per_layer_input(reader),
        ],
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


def _wide_heads(reader: Reader, types: list[str], key_value: int) -> tuple[int, int]:
    """Return width and number of the key-value heads of layers that see everything."""
    given = layer_overrides(reader, len(types), "head_dim", "num_key_value_heads")
    if given is None:
        wide = reader.size("global_head_dim")
        if not reader.flag("attention_k_eq_v"):
            reader.skip("num_global_key_value_heads")
            return wide, key_value
        return wide, reader.size("num_global_key_value_heads", computed=key_value)
    reader.skip("global_head_dim", "num_global_key_value_heads")
    full = [layer for layer, name in enumerate(types) if name == _FULL]
    sizes = given.get(full[0], {})
    if given != (dict.fromkeys(full, sizes) if sizes else {}) and reader.sound("layer_types"):
        reader.refuse(
            "per_layer_config",
            "per_layer_config does not treat layers of one type alike",
            valid="the same sizes for every layer with full attention, none for the others",
        )
    return sizes.get("head_dim", reader.size("head_dim")), sizes.get(
        "num_key_value_heads", key_value
    )


def _attention4(reader: Reader, types: list[str]) -> dict[str, dict[str, Any]]:
    """Return Gemma 4's two kinds of attention by the name of their layers' type."""
    count, key_value = reader.size("num_attention_heads"), reader.size("num_key_value_heads")
    bias = reader.flag("attention_bias")
    options: dict[str, Any] = {"attention_bias": bias, "output_bias": bias, "qk_norm": "head"}
    window = reader.size("sliding_window")
    sliding = parts.gqa(count, key_value, reader.size("head_dim"), sliding_window=window, **options)
    wide, shared = _wide_heads(reader, types, key_value)
    if reader.flag("attention_k_eq_v"):
        options["key_values"] = "projected-as-keys"
    full = parts.gqa(count, shared, wide, **options)
    return {_FULL: full, _SLIDING: sliding}


def _feed_forward4(reader: Reader, depth: int, first_shared: int) -> list[dict[str, Any]]:
    width = reader.size("intermediate_size")
    double = reader.flag("use_double_wide_mlp")
    if reader.flag("enable_moe_block"):
        experts = parts.moe(
            reader.size("num_experts"),
            reader.size("top_k_experts"),
            reader.size("moe_intermediate_size", "expert_intermediate_size"),
            router_scales=True,
            beside=width,
        )
        if double and first_shared < depth and reader.sound("use_double_wide_mlp"):
            what = "use_double_wide_mlp beside experts"
            reader.refuse("use_double_wide_mlp", what, valid="false")
        return [experts] * depth
    reader.skip("num_experts", "top_k_experts", "moe_intermediate_size", "expert_intermediate_size")
    dense, wide = parts.dense(width), parts.dense(2 * width if double else width)
    return [dense if layer < first_shared else wide for layer in range(depth)]


def _gemma4(reader: Reader) -> Architecture:
    depth = reader.depth()
    types = _types(reader, depth, 6)
    if types[-1] != _FULL:
        types = [*types[:-1], _FULL]
    first_shared = _shared(reader, depth, types)
    kinds = _attention4(reader, types)
    feed_forward = _feed_forward4(reader, depth, first_shared)
    reader.activation("hidden_activation")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=_spread(kinds, types, first_shared),
        feed_forward=feed_forward,
        block_norms=4 if feed_forward[0]["type"] == "dense" else 7,
        additions=_per_layer_input(reader),
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


_SHARED_DEFAULTS = {
    "attention_bias": False,
    "head_dim": 256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": True,
    "vocab_size_per_layer_input": 262144,
}
_OUTER = frozenset(
    [
        "audio_soft_tokens_per_image",
        "audio_token_id",
        "boa_token_id",
        "boi_token_id",
        "eoa_token_id",
        "eoa_token_index",
        "eoi_token_id",
        "image_token_id",
        "video_token_id",
        "vision_soft_tokens_per_image",
    ]
)

FAMILIES = {
    "gemma3n_text": Family(
        architectures=("Gemma3nForCausalLM",),
        configuration="transformers' Gemma3nTextConfig",
        read=_gemma3n,
        defaults=_SHARED_DEFAULTS
        | {
            "altup_num_inputs": 4,
            "hidden_size_per_layer_input": 256,
            "laurel_rank": 64,
            "layer_types": Computed(
                "every fifth layer attends to all tokens, the others to a window"
            ),
            "num_kv_shared_layers": 15,
            "sliding_window": 512,
        },
        ignored=frozenset(
            [
                "activation_sparsity_pattern",
                "altup_active_idx",
                "altup_coef_clip",
                "altup_correct_scale",
                "altup_lr_multiplier",
                "final_logit_softcapping",
                "query_pre_attn_scalar",
            ]
        ),
        fixed={"use_bidirectional_attention": (False, None)},
    ),
    "gemma3n": Family(
        architectures=("Gemma3nForConditionalGeneration",), text="gemma3n_text", ignored=_OUTER
    ),
    "gemma4_text": Family(
        architectures=("Gemma4ForCausalLM",),
        configuration="transformers' Gemma4TextConfig",
        read=_gemma4,
        defaults=_SHARED_DEFAULTS
        | {
            "attention_k_eq_v": False,
            "enable_moe_block": False,
            "global_head_dim": 512,
            "hidden_size_per_layer_input": 256,
            "layer_types": Computed(
                "every sixth layer attends to all tokens, the others to a window"
            ),
            "num_global_key_value_heads": None,
            "num_kv_shared_layers": 0,
            "sliding_window": 512,
            "use_double_wide_mlp": False,
        },
        ignored=frozenset(["final_logit_softcapping"]),
        fixed={"use_bidirectional_attention": (False, None, "vision")},
        fields={
            "n_routed_experts": "num_experts",
            "num_experts_per_tok": "top_k_experts",
        },
    ),
    "gemma4": Family(
        architectures=("Gemma4ForConditionalGeneration",),
        text="gemma4_text",
        vision="gemma4",
        ignored=_OUTER,
    ),
}
