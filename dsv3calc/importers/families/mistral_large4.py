"""Mistral-Large-4: latent attention with an indexer, every fourth layer without rotary channels.

Read in transformers' modeling_mistral_large4.py: queries have no latent; a layer without rotary
channels gives them to the others, so that its keys are as wide; attention and indexer scale each
head's scores; the rotary embedding has a learned factor for each frequency; layers named in
kv_source_layers use the latent of an earlier one, and those of indexer_types shared the keys that
an earlier one selected.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.families.deepseek import indexer_types
from dsv3calc.importers.families.llama import MISTRAL_VISION
from dsv3calc.importers.family import Architecture, Computed, Family
from dsv3calc.importers.layer_keys import layer_list
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _sources(reader: Reader, depth: int) -> list[int]:
    """Return the layer whose latent each layer uses."""
    _, given = reader.find(("kv_source_layers",), None)
    own = list(range(depth))
    if given is None or not reader.sound("kv_source_layers", "num_hidden_layers"):
        return own
    fits = isinstance(given, list) and len(given) == depth
    if not fits or not all(
        type(one) is int and 0 <= one <= layer and given[one] == one
        for layer, one in enumerate(given)
    ):
        reader.refuse(
            "kv_source_layers",
            f"kv_source_layers is {quote(given)}",
            valid=f"for each of {depth} layers itself, or an earlier one that names itself",
        )
        return own
    return list(given)


def _attention(reader: Reader, depth: int, rope: int) -> list[dict[str, Any]]:
    nope = reader.size("qk_nope_head_dim")
    plain: dict[str, Any] = {
        "type": "mla",
        "num_attention_heads": reader.size("num_attention_heads"),
        "q_lora_rank": None,
        "kv_lora_rank": reader.size("kv_lora_rank"),
        "v_head_dim": reader.size("v_head_dim"),
        "score_scaling": True,
    }
    if reader.flag("attention_bias"):
        plain["attention_bias"] = True
    names = ("index_n_heads", "index_head_dim", "index_topk")
    indexer: dict[str, Any] = {name: reader.size(name) for name in names}
    indexer |= {"reads_hidden": True, "score_scaling": True}
    interval = reader.size("no_rope_layer_interval")
    rotated = layer_list(
        reader,
        "no_rope_layers",
        depth,
        (0, 1),
        lambda layer: int((layer + 1) % interval != 0),
    )
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    layers = []
    types, sources = indexer_types(reader, depth), _sources(reader, depth)
    # lists are as long as the model is deep, or a problem says that they are not
    for layer, (rotates, kind, source) in enumerate(zip(rotated, types, sources, strict=False)):
        key = (rotates, kind, source == layer)
        if key not in found:
            widths = (nope, rope) if rotates else (nope + rope, 0)
            found[key] = plain | {
                "qk_nope_head_dim": widths[0],
                "qk_rope_head_dim": widths[1],
                "indexer": indexer if kind == "full" else indexer | {"shared": True},
            }
            if source != layer:
                found[key]["latent"] = "earlier-layer"
        layers.append(found[key])
    return layers


def _mistral_large4(reader: Reader) -> Architecture:
    depth = reader.depth()
    experts = parts.moe(
        reader.size("n_routed_experts"),
        reader.size("num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=reader.natural("n_shared_experts"),
        groups=(reader.size("n_group"), reader.size("topk_group")),
    )
    dense = parts.dense(reader.size("intermediate_size"))
    if reader.has("mlp_layer_types"):
        reader.skip("first_k_dense_replace")
        types = layer_list(reader, "mlp_layer_types", depth, ("dense", "sparse"))
    else:
        first = reader.natural("first_k_dense_replace")
        types = ["dense" if layer < first else "sparse" for layer in range(depth)]
    if reader.has("layer_types"):
        layer_list(reader, "layer_types", depth, ("indexed_attention",))
    reader.activation("hidden_act")
    rope = reader.size("qk_rope_head_dim")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=_attention(reader, depth, rope),
        feed_forward=parts.spread({"dense": dense, "sparse": experts}, types),
        additions=[{"type": "learned_rotary", "frequencies": max(rope // 2, 1)}],
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
    )


FAMILIES = {
    "mistral_large4_text": Family(
        architectures=("MistralLarge4ForCausalLM",),
        configuration="transformers' MistralLarge4TextConfig",
        read=_mistral_large4,
        defaults={
            "attention_bias": False,
            "first_k_dense_replace": 1,
            "index_topk_freq": 1,
            "kv_source_layers": Computed("each layer has its own latent"),
            "mlp_layer_types": Computed("dense up to first_k_dense_replace"),
            "n_group": 1,
            "no_rope_layer_interval": Computed("every fourth layer, as in the code", 4),
            "no_rope_layers": Computed("every fourth layer is without rotary channels"),
            "tie_word_embeddings": False,
            "topk_group": 1,
        },
        ignored=frozenset(
            [
                "final_logit_softcapping",
                "head_dim",
                "num_key_value_heads",
                "qk_head_dim",
                "routed_scaling_factor",
            ]
        ),
    ),
    "mistral_large4": Family(
        architectures=("MistralLarge4ForConditionalGeneration",),
        text="mistral_large4_text",
        vision="pixtral",
        ignored=MISTRAL_VISION,
    ),
}
