"""Step-3.5 and 3.7: more heads where a window limits them, a gate a head, one shared expert.

Read in transformers' modeling_step3p7.py and configuration_step3p7.py: layers with a window have
the heads of attention_other_setting; queries and keys are normed head by head; a linear layer gates
each head's output; layer lists hold an entry more for each multi-token-prediction module.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.family import MAIN_MODEL_ALONE, NO_CHOICE, Architecture, Computed, Family
from dsv3calc.importers.layer_keys import layer_list, layer_overrides
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_FULL, _SLIDING = "full_attention", "sliding_attention"


def _trimmed(reader: Reader, name: str, depth: int, modules: int) -> list[Any] | None:
    """Return a list's entries of layers and of modules where it has both, None where it has not."""
    given = reader.data.get(name)
    if not isinstance(given, list) or len(given) != depth + modules:
        return None
    reader.skip(name)
    return given


def _of_modules(reader: Reader, name: str, modules: int, *allowed: str) -> list[Any]:
    """Return the entries of modules where they have a list of their own."""
    return layer_list(reader, name, modules, allowed) if reader.has(name) else []


def _layer_types(reader: Reader, depth: int, modules: int) -> list[str]:
    """Return the kinds of the layers, and of the modules after them where they are listed."""
    given = _trimmed(reader, "layer_types", depth, modules)
    if given is None:
        given = layer_list(reader, "layer_types", depth, (_FULL, _SLIDING), lambda _: _FULL)
        given = [*given, *_of_modules(reader, "mtp_layer_types", modules, _FULL, _SLIDING)]
    wrong = [entry for entry in given if entry not in (_FULL, _SLIDING)]
    if wrong and reader.sound("layer_types"):
        what = f"layer_types holds {quote(wrong[0])}"
        reader.refuse("layer_types", what, valid=f"{_FULL}, {_SLIDING}")
        return [_FULL] * depth
    return [str(entry) for entry in given]


def _attention(reader: Reader, types: list[str]) -> dict[str, dict[str, Any]]:
    heads = reader.size("num_attention_heads")
    shared = reader.size("num_attention_groups", "num_key_value_heads")
    width = reader.size("head_dim")
    bias = reader.flag("attention_bias")
    gated = reader.flag("use_head_wise_attn_gate")
    options: dict[str, Any] = {
        "attention_bias": bias,
        "output_bias": bias,
        "qk_norm": "head",
        "output_gate": "head" if gated else "none",
    }
    wide = (heads, shared, width)
    if reader.has("attention_other_setting"):
        reader.skip("num_sliding_attention_heads")
        other = reader.part("attention_other_setting")
        other.skip("attention_type", "sliding_window", "true_head_dim")
        wide = (
            other.size("num_attention_heads"),
            other.size("num_attention_groups", "num_key_value_heads"),
            other.size("head_dim"),
        )
    else:
        reader.skip("attention_other_setting")
        wide = (reader.size("num_sliding_attention_heads"), shared, width)
    overrides = layer_overrides(reader, len(types), "num_attention_heads")
    sliding = [layer for layer, name in enumerate(types) if name == _SLIDING]
    if overrides not in (None, {layer: {"num_attention_heads": wide[0]} for layer in sliding}):
        reader.refuse(
            "per_layer_config",
            "per_layer_config contradicts the heads of layers with a window",
            valid=f"{wide[0]} heads in every layer with a window, and no other layers",
        )
    window = reader.size("sliding_window") if sliding else None
    reader.skip("sliding_window")
    return {
        _FULL: parts.gqa(heads, shared, width, **options),
        _SLIDING: parts.gqa(*wide, sliding_window=window, **options),
    }


def _sparse(reader: Reader, depth: int, modules: int) -> list[bool]:
    """Return which layers and modules are mixtures."""
    if reader.has("mlp_layer_types"):
        reader.skip("moe_layers_enum")
        given = _trimmed(reader, "mlp_layer_types", depth, modules)
        if given is None:
            kinds = ("dense", "sparse")
            given = layer_list(reader, "mlp_layer_types", depth, kinds)
            given = [*given, *_of_modules(reader, "mtp_mlp_layer_types", modules, *kinds)]
        return [entry == "sparse" for entry in given]
    reader.skip("mlp_layer_types")
    _, given = reader.find(("moe_layers_enum",), None)
    numbers = range(3, depth) if given is None else _numbers(reader, given)
    return [layer in set(numbers) for layer in range(depth + modules)]


def _numbers(reader: Reader, given: object) -> list[int]:
    entries = given.split(",") if isinstance(given, str) else given
    if isinstance(entries, list) and all(str(one).strip().isdecimal() for one in entries):
        return [int(str(one)) for one in entries]
    if reader.sound("moe_layers_enum"):
        what = f"moe_layers_enum is {quote(given)}"
        reader.refuse("moe_layers_enum", what, valid="numbers of layers, with commas between")
    return []


def _step(reader: Reader) -> Architecture:
    depth = reader.depth()
    modules = reader.natural("num_nextn_predict_layers", null=0)
    reader.skip("mtp_layer_types", "mtp_mlp_layer_types")
    types = _layer_types(reader, depth, modules)
    sparse = _sparse(reader, depth, modules)
    kinds = _attention(reader, types[:depth])
    experts = parts.moe(
        reader.size("moe_num_experts", "n_routed_experts"),
        reader.size("moe_top_k", "num_experts_per_tok"),
        reader.size("moe_intermediate_size"),
        n_shared_experts=1,
        shared_expert_intermediate_size=reader.size("share_expert_dim", "share_expert_dims"),
        routing_bias=reader.flag("use_moe_router_bias"),
    )
    dense = parts.dense(reader.size("intermediate_size"))
    feeds = [experts if chosen else dense for chosen in sparse]
    reader.activation("hidden_act")
    module = None
    if modules and len(types) > depth:
        module = {
            "attention": kinds[types[depth]],
            "feed_forward": feeds[depth] if len(feeds) > depth else feeds[-1],
        }
    return Architecture(
        hidden_size=reader.size("hidden_size"),
        vocab_size=reader.size("vocab_size"),
        attention=parts.spread(kinds, types[:depth]),
        feed_forward=feeds[:depth],
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions("max_position_embeddings", "max_seq_len"),
        mtp=(modules, False) if modules else None,
        mtp_layer=module,
        mtp_stored=True,
    )


_IGNORED = frozenset(
    (
        "att_impl_type",
        "gating",
        "max_seq_len",
        "moe_every_n_layer",
        "moe_layer_offset",
        "moe_router_activation",
        "moe_router_scaling_factor",
        "need_fp32_gate",
        "norm_expert_weight",
        "partial_rotary_factors",
        "query_pre_attn_scalar",
        "sink",
        "swiglu_limit",
        "swiglu_limits",
        "swiglu_limits_shared",
        "use_rope_layers",
        "yarn_only_types",
        "zero_centered",
    )
)


def _family(*architectures: str) -> Family:
    return Family(
        architectures=architectures,
        configuration="transformers' Step3p7TextConfig",
        read=_step,
        defaults={
            "attention_bias": False,
            "head_dim": 128,
            "layer_types": Computed("every layer attends to all tokens"),
            "moe_layers_enum": Computed("every layer from the fourth on is a mixture"),
            "num_nextn_predict_layers": MAIN_MODEL_ALONE,
            "tie_word_embeddings": False,
            "use_head_wise_attn_gate": Computed(NO_CHOICE, value=True),
            "use_moe_router_bias": Computed(NO_CHOICE, value=True),
        },
        ignored=_IGNORED,
        fixed={
            "use_bidirectional_attention": (False,),
            "use_mfa": (False,),
            "use_moe": (True,),
            "use_qk_norm": (True,),
            "use_sliding_window": (True,),
        },
        fields={
            "n_routed_experts": "moe_num_experts",
            "num_experts_per_tok": "moe_top_k",
            "num_key_value_heads": "num_attention_groups",
        },
    )


FAMILIES = {
    "step3p5": _family("Step3p5ForCausalLM"),
    "step3p7_text": _family("Step3p7ForCausalLM"),
    "step3p7": Family(
        architectures=("Step3p7ForConditionalGeneration",),
        text="step3p7_text",
        other_texts=("step3p5",),
        ignored=frozenset(
            ("image_token_id", "image_token_len", "projector_bias", "understand_projector_stride")
        ),
    ),
}
