"""DeepSeek-V4: compressed attention, hyper-connections, experts chosen by a table at first.

Read in transformers' modeling_deepseek_v4.py and configuration_deepseek_v4.py: compress_ratios has
an entry for each layer and for each multi-token-prediction module, 0 for a window alone; entries of
ratio 4 overlap and are selected by an indexer, those of ratio 128 are all read. The first layers
route by a table and hold no routing bias. The prediction module is stored without copies of
embedding and head, as the published element counts show. Files in the reference code's form
(deepseek_ref) have the same keys.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.family import MAIN_MODEL_ALONE, Architecture, Computed, Family
from dsv3calc.importers.keys import ABSENT
from dsv3calc.importers.layer_keys import layer_list
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_SLIDING = "sliding_attention"
_SPARSE = "compressed_sparse_attention"
_HEAVY = "heavily_compressed_attention"
_RATIOS = {0: _SLIDING, 4: _SPARSE, 128: _HEAVY}


def _layer_types(reader: Reader, depth: int, modules: int) -> list[str]:
    """Return the kind of each layer, by layer_types or by compress_ratios."""
    if reader.has("layer_types"):
        reader.skip("compress_ratios")
        return layer_list(reader, "layer_types", depth, tuple(_RATIOS.values()))
    reader.skip("layer_types")
    _, given = reader.find(("compress_ratios",), None)
    if given is ABSENT:
        return [_SLIDING] * depth
    if not isinstance(given, list) or len(given) not in (depth, depth + modules):
        if reader.sound("compress_ratios", "num_hidden_layers"):
            reader.refuse(
                "compress_ratios",
                f"compress_ratios is {quote(given)}",
                valid=f"an entry for each of {depth} layers and {modules} prediction modules",
            )
        return [_SLIDING] * depth
    wrong = [entry for entry in given if entry not in _RATIOS or isinstance(entry, bool)]
    if wrong:
        what = f"compress_ratios holds {quote(wrong[0])}"
        reader.refuse("compress_ratios", what, valid=", ".join(map(str, _RATIOS)))
        return [_SLIDING] * depth
    if any(given[depth:]):
        reader.refuse(
            "compress_ratios",
            f"compress_ratios gives a prediction module the ratio {given[-1]}",
            valid="0: the published modules have a window alone",
        )
    return [_RATIOS[entry] for entry in given[:depth]]


def _attention(reader: Reader) -> dict[str, dict[str, Any]]:
    """Return each kind of attention by the name of its layers' type."""
    if reader.size("num_key_value_heads") != 1 and reader.sound("num_key_value_heads"):
        reader.refuse("num_key_value_heads", "more than one key-value head", valid="1")
    plain: dict[str, Any] = {
        "type": "compressed",
        "num_attention_heads": reader.size("num_attention_heads"),
        "head_dim": reader.size("head_dim"),
        "qk_rope_head_dim": reader.size("qk_rope_head_dim"),
        "q_lora_rank": reader.size("q_lora_rank"),
        "o_groups": reader.size("o_groups"),
        "o_lora_rank": reader.size("o_lora_rank"),
        "sliding_window": reader.size("sliding_window"),
    }
    ratios = {_SPARSE: 4, _HEAVY: 128}
    if reader.has("compress_rates"):
        rates = reader.part("compress_rates")
        ratios = {name: rates.size(name) for name in ratios}
    names = ("index_n_heads", "index_head_dim", "index_topk")
    indexer = {name: reader.size(name) for name in names}
    sparse = {"compress_ratio": ratios[_SPARSE], "overlap": True, "indexer": indexer}
    return {
        _SLIDING: plain,
        _SPARSE: plain | sparse,
        _HEAVY: plain | {"compress_ratio": ratios[_HEAVY]},
    }


def _experts(reader: Reader, depth: int, vocab_size: int) -> list[dict[str, Any]]:
    """Return the experts of each layer: chosen by a table in the first, then by scores."""
    reader.choice("topk_method", "noaux_tc")
    width = [
        reader.size(name)
        for name in ("n_routed_experts", "num_experts_per_tok", "moe_intermediate_size")
    ]
    shared = reader.natural("n_shared_experts")
    experts, by_table = (
        parts.moe(*width, n_shared_experts=shared, routing_bias=not table, routing_table=table)
        for table in (None, vocab_size)
    )
    kinds = {"moe": experts, "hash_moe": by_table}
    if reader.has("mlp_layer_types"):
        reader.skip("num_hash_layers")
        return parts.spread(kinds, layer_list(reader, "mlp_layer_types", depth, tuple(kinds)))
    first = reader.natural("num_hash_layers")
    return [by_table if layer < first else experts for layer in range(depth)]


def _deepseek_v4(reader: Reader) -> Architecture:
    depth = reader.depth()
    modules = reader.natural("num_nextn_predict_layers", null=0)
    vocab_size = reader.size("vocab_size")
    attention = _attention(reader)
    feed_forward = _experts(reader, depth, vocab_size)
    reader.activation("hidden_act")
    streams = reader.size("hc_mult")
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=vocab_size,
        attention=parts.spread(attention, _layer_types(reader, depth, modules)),
        feed_forward=feed_forward,
        additions=[{"type": "hyper_connections", "hc_mult": streams}],
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions(),
        mtp=(modules, False) if modules else None,
        mtp_layer={"attention": attention[_SLIDING], "feed_forward": feed_forward[-1]},
        mtp_stored=True,
    )


_FAMILY = Family(
    architectures=("DeepseekV4ForCausalLM",),
    configuration="transformers' DeepseekV4Config",
    read=_deepseek_v4,
    defaults={
        "n_shared_experts": 1,
        "num_hash_layers": 3,
        "num_key_value_heads": 1,
        "num_nextn_predict_layers": MAIN_MODEL_ALONE,
        "qk_rope_head_dim": 64,
        "tie_word_embeddings": False,
        "topk_method": Computed("transformers' code always does this", "noaux_tc"),
    },
    ignored=frozenset(
        (
            "compress_rope_theta",
            "expert_dtype",
            "hc_eps",
            "hc_sinkhorn_iters",
            "n_group",
            "routed_scaling_factor",
            "scoring_func",
            "swiglu_limit",
            "topk_group",
        )
    ),
    fp8="fp8-deepseek-v4",
    by_experts={"fp4": "fp4-fp8-deepseek-v4", "nvfp4": "nvfp4-fp8-deepseek-v4"},
)

FAMILIES = {"deepseek_v4": _FAMILY, "deepseek_ref": _FAMILY}
