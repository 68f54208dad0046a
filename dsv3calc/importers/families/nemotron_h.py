"""Nemotron-H and Nemotron 3: each layer is one mixer, one attention or one feed-forward.

Read in transformers' modeling_nemotron_h.py: a layer has one norm and one part, which a letter of
hybrid_override_pattern names (M, *, E or -) or an entry of layers_block_type; feed-forwards and
experts have two matrices with a squared ReLU; experts of the larger models work on a latent width,
and the shared expert and the router on the hidden state. There are no rotary embeddings.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.family import (
    HEAD_DIM_FROM_HEADS,
    MAIN_MODEL_ALONE,
    Architecture,
    Computed,
    Family,
)
from dsv3calc.importers.layer_keys import layer_list
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_LETTERS = {"M": "mamba", "*": "attention", "E": "moe", "-": "mlp"}
_NAMES = {name: name for name in _LETTERS.values()} | {
    "linear_attention": "mamba",
    "full_attention": "attention",
}
_KEYS = {
    "mamba": "mamba_num_heads",
    "attention": "num_attention_heads",
    "moe": "n_routed_experts",
    "mlp": "intermediate_size",
}
_PATTERN = "hybrid_override_pattern"
_BLOCKS = ("layers_block_type", "layer_types")


def _types(reader: Reader, depth: int) -> list[str]:
    """Return what each layer is, by the list of names or the pattern of letters."""
    for name in _BLOCKS:
        if reader.has(name):
            reader.skip(_PATTERN, *_BLOCKS)
            return [_NAMES[kind] for kind in layer_list(reader, name, depth, tuple(_NAMES))]
    reader.skip(*_BLOCKS)
    return _letters(reader, _PATTERN, depth)


def _letters(reader: Reader, name: str, depth: int) -> list[str]:
    _, pattern = reader.find((name,), None)
    if not isinstance(pattern, str):
        if name in reader.data:
            reader.refuse(name, f"{name} is {quote(pattern)}", valid="a letter for each layer")
        return _kinds_by_keys(reader)
    wrong = next((letter for letter in pattern if letter not in _LETTERS), "")
    if wrong:
        valid = ", ".join(f"{letter} ({words})" for letter, words in _LETTERS.items())
        reader.refuse(name, f"{name} has {quote(wrong)}", valid=valid)
    elif len(pattern) != depth and reader.sound("num_hidden_layers"):
        reader.refuse(name, f"{name} has {len(pattern)} letters for {depth} layers")
    else:
        return [_LETTERS[letter] for letter in pattern]
    return _kinds_by_keys(reader)


def _kinds_by_keys(reader: Reader) -> list[str]:
    """Return the kinds of layer that a file has keys of, where its pattern is of no use.

    Their keys are checked all the same.
    """
    return [kind for kind, key in _KEYS.items() if reader.has(key)]


def _parts(reader: Reader, types: set[str]) -> dict[str, dict[str, Any]]:
    """Return the schema's plain data of each kind of layer that the model has."""
    found: dict[str, dict[str, Any]] = {}
    if "mamba" in types:
        reader.skip("expand")
        found["mamba"] = {
            "type": "mamba2",
            "mamba_num_heads": reader.size("mamba_num_heads"),
            "mamba_head_dim": reader.size("mamba_head_dim"),
            "ssm_state_size": reader.size("ssm_state_size"),
            "n_groups": reader.size("n_groups"),
            "conv_kernel": reader.size("conv_kernel"),
            "chunk_size": reader.size("chunk_size"),
            "conv_bias": reader.flag("use_conv_bias"),
            "proj_bias": reader.flag("mamba_proj_bias"),
        } | parts.state_dtype(reader, "mamba_ssm_cache_dtype")
    if "attention" in types:
        found["attention"] = _attention(reader)
    if "mlp" in types:
        width, bias = reader.size("intermediate_size"), reader.flag("mlp_bias")
        found["mlp"] = parts.dense(width, mlp_bias=bias) | {"gated": False}
    if "moe" in types:
        found["moe"] = _experts(reader)
        if "mlp" not in types:
            reader.skip("intermediate_size")
    return found


def _attention(reader: Reader) -> dict[str, Any]:
    heads = reader.size("num_attention_heads")
    if reader.has("head_dim") or reader.has("attention_head_dim"):
        head_dim = reader.size("head_dim", "attention_head_dim")
    else:
        hidden = reader.size("hidden_size")
        quotient = reader.quotient(hidden, "hidden_size", heads, "num_attention_heads")
        head_dim = reader.size("head_dim", "attention_head_dim", computed=quotient)
    bias = reader.flag("attention_bias")
    shared = reader.size("num_key_value_heads")
    return parts.gqa(heads, shared, head_dim, attention_bias=bias, output_bias=bias)


def _experts(reader: Reader) -> dict[str, Any]:
    shared = reader.natural("n_shared_experts")
    width = reader.size("moe_shared_expert_intermediate_size") if shared else None
    reader.skip("moe_shared_expert_intermediate_size")
    return parts.moe(
        reader.size("n_routed_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=shared,
        groups=(reader.size("n_group"), reader.size("topk_group")),
        routing_bias=True,
        shared_expert_intermediate_size=width,
        moe_latent_size=reader.optional_size("moe_latent_size"),
    ) | {"gated": False}


def _read(reader: Reader) -> Architecture:
    depth = reader.depth()
    types = _types(reader, depth)
    modules = reader.natural("num_nextn_predict_layers", null=0)
    inside = _module(reader) if modules else []
    found = _parts(reader, {*types, *inside})
    reader.activation("mlp_hidden_act", "mamba_hidden_act")
    layer = None
    if inside:
        pair = (("attention", "attention"), ("moe", "feed_forward"))
        layer = {part: found[kind] for kind, part in pair}
        reader.findings.assumed["num_nextn_predict_layers"] = (
            f"mtp = {modules} modules of one attention and one layer of experts, joined as "
            "DeepSeek-V3's are and stored without copies of embedding and head: transformers' code "
            "has none to check against"
        )
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=[found.get(kind) if kind == "attention" else None for kind in types],
        mixer=[found.get(kind) if kind == "mamba" else None for kind in types],
        feed_forward=[found.get(kind) if kind in ("mlp", "moe") else None for kind in types],
        block_norms=1,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
        mtp=(modules, False) if modules else None,
        mtp_layer=layer,
        mtp_stored=True,
    )


def _module(reader: Reader) -> list[str]:
    """Return the layers of a prediction module, which is one attention and one of experts."""
    name = "mtp_hybrid_override_pattern"
    if reader.has("mtp_layers_block_type"):
        reader.skip(name)
        types = layer_list(reader, "mtp_layers_block_type", 2, tuple(_NAMES))
        types = [_NAMES[kind] for kind in types]
    else:
        types = _letters(reader, name, 2)
    if types != ["attention", "moe"] and reader.sound(name, "mtp_layers_block_type"):
        reader.refuse(name, f"a prediction module of {', '.join(types)}", valid="*E")
    return ["attention", "moe"]


FAMILIES = {
    "nemotron_h": Family(
        architectures=("NemotronHForCausalLM",),
        configuration="transformers' NemotronHConfig",
        read=_read,
        defaults={
            "attention_bias": False,
            "chunk_size": 128,
            "conv_kernel": 4,
            "head_dim": HEAD_DIM_FROM_HEADS,
            "mamba_proj_bias": False,
            "mamba_ssm_cache_dtype": Computed("transformers keeps it so", "float32"),
            "mlp_bias": False,
            "moe_latent_size": None,
            "n_group": 1,
            "num_nextn_predict_layers": MAIN_MODEL_ALONE,
            "tie_word_embeddings": False,
            "topk_group": 1,
            "use_conv_bias": True,
        },
        ignored=frozenset(
            (
                "mamba_cache_dtype",
                "moe_shared_expert_overlap",
                "mtp_hybrid_override_pattern",
                "mtp_layers_block_type",
                "num_logits_to_keep",
                "rescale_prenorm_residual",
                "residual_in_fp32",
                "routed_scaling_factor",
                "time_step_floor",
                "time_step_limit",
                "time_step_max",
                "time_step_min",
                "time_step_rank",
                "use_mamba_kernels",
            )
        ),
        fixed={"sliding_window": (None,), "use_bias": (False,)},
    )
}
