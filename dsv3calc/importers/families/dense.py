"""Dense models that differ in norms, biases and windows alone: one reader, a table of traits.

Read in transformers' modelling code of each: Phi-3 and 4 (fused projections, no biases), OLMo 2 and
3 (norms of whole projections, norms after attention and feed-forward), Cohere (one LayerNorm
without bias before both, which run in parallel), Seed-OSS (attention_bias covers query, key and
value), SmolLM3, EXAONE 4 (heads normed), Granite 3, Hunyuan (heads normed), ERNIE 4.5 (use_bias
covers everything but norms and head), Ministral 3, Gemma 1, GLM-4 of 2024 and 2025 (the output has
no bias), Arcee and Nemotron 4 (feed-forwards of two
matrices, the latter with LayerNorms) and Apertus (two as well, with an activation
function of two learned numbers, and heads normed); InternLM 2 and Baichuan in their repositories'
modelling code.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.importers import parts
from dsv3calc.importers.families.llama import MISTRAL_VISION, heads
from dsv3calc.importers.family import (
    HEAD_DIM_FROM_HEADS,
    KV_HEADS_AS_HEADS,
    Architecture,
    Computed,
    Family,
)
from dsv3calc.importers.layer_keys import layer_list
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_FULL, _SLIDING = "full_attention", "sliding_attention"


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one of these families from another.

    ``biases`` names the key of the biases of query, key and value, ``output`` that of the output
    projection and ``feed_forward`` that of the feed-forward, each empty where there are none.
    ``pattern`` is the distance between layers that see everything where the file does not say it,
    0 where a window holds for all layers or none. A feed-forward that is not ``gated`` has two
    matrices; its activation function may have ``learned`` numbers.
    """

    biases: str = "attention_bias"
    output: str = "attention_bias"
    feed_forward: str = ""
    qk_norm: str = "none"
    qk_norm_key: str = ""
    block_norms: int = 2
    norm: str = "rms"
    norm_bias: bool = False
    windows: bool = False
    pattern: int = 0
    gated: bool = True
    learned: int = 0


TRAITS = {
    "phi3": Traits(biases="", output="", windows=True),
    "olmo2": Traits(qk_norm="hidden"),
    "olmo3": Traits(qk_norm="hidden", windows=True, pattern=4),
    "cohere": Traits(qk_norm="hidden", qk_norm_key="use_qk_norm", block_norms=1, norm="layer"),
    "cohere2": Traits(block_norms=1, norm="layer", windows=True, pattern=4),
    "seed_oss": Traits(output="attention_out_bias", feed_forward="mlp_bias"),
    "smollm3": Traits(feed_forward="mlp_bias"),
    "exaone4": Traits(biases="", output="", qk_norm="head", windows=True, pattern=4),
    "granite": Traits(feed_forward="mlp_bias"),
    "hunyuan_v1_dense": Traits(qk_norm="head"),
    "ernie4_5": Traits(biases="use_bias", output="use_bias", feed_forward="use_bias"),
    "ministral3": Traits(biases="", output="", windows=True),
    "gemma": Traits(),
    "glm": Traits(output=""),
    "glm4": Traits(output="", block_norms=4),
    "arcee": Traits(feed_forward="mlp_bias", gated=False),
    "internlm2": Traits(biases="bias", output="bias"),
    "nemotron": Traits(feed_forward="mlp_bias", gated=False, norm="layer", norm_bias=True),
    "apertus": Traits(qk_norm="head", gated=False, learned=2),
    "baichuan": Traits(biases="", output=""),
}


def _windows(reader: Reader, traits: Traits, depth: int) -> list[int | None]:
    """Return the window of each layer, None where it sees everything."""
    window = reader.optional_size("sliding_window")
    longest = reader.data.get("max_position_embeddings")
    if window is not None and isinstance(longest, int) and window >= longest:
        window = None  # it never binds
    if not traits.pattern:
        return [window] * depth
    pattern = _pattern(reader, traits)
    types = layer_list(
        reader,
        "layer_types",
        depth,
        (_FULL, _SLIDING),
        lambda layer: _SLIDING if (layer + 1) % pattern else _FULL,
    )
    return [window if name == _SLIDING else None for name in types]


def _pattern(reader: Reader, traits: Traits) -> int:
    """Return the distance between layers that see everything, where the file does not list them."""
    names = ("sliding_window_pattern", "_sliding_window_pattern")
    given = next((name for name in names if reader.has(name)), "")
    reader.skip(*names)
    if not given or reader.has("layer_types"):
        return traits.pattern
    value = reader.data[given]
    if not isinstance(value, str):
        return reader.size(given)
    if value != "L" * (len(value) - 1) + "G":
        what = f"{given} {quote(value)} is not supported"
        reader.refuse(given, what, valid="local layers and then a global one, as LLLG")
    return len(value)


def _dense(reader: Reader) -> Architecture:
    traits = TRAITS[reader.findings.model_type]
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    width = heads(reader, hidden_size)
    qk_norm = traits.qk_norm
    if traits.qk_norm_key and not reader.flag(traits.qk_norm_key):
        qk_norm = "none"
    options: dict[str, Any] = {
        "attention_bias": bool(traits.biases) and reader.flag(traits.biases),
        "output_bias": bool(traits.output) and reader.flag(traits.output),
        "qk_norm": qk_norm,
    }
    windows: list[int | None] = [None] * depth
    if traits.windows:
        windows = _windows(reader, traits, depth)
    elif reader.has("layer_types"):
        layer_list(reader, "layer_types", depth, (_FULL,))
    kinds = {window: parts.gqa(*width, sliding_window=window, **options) for window in set(windows)}
    bias = bool(traits.feed_forward) and reader.flag(traits.feed_forward)
    inner = reader.size("intermediate_size")
    feed_forward = parts.dense(inner, mlp_bias=bias, gated=traits.gated, learned=traits.learned)
    if not traits.learned:  # else the family fixes the function, whose numbers are counted
        reader.activation("hidden_act", "hidden_activation")
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[kinds[window] for window in windows],
        feed_forward=[feed_forward] * depth,
        block_norms=traits.block_norms,
        norm=traits.norm,
        norm_bias=traits.norm_bias,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        max_position_embeddings=reader.positions("max_position_embeddings", "model_max_length"),
    )


def _family(
    *architectures: str,
    configuration: str,
    own: str = "transformers'",
    ignored: tuple[str, ...] = (),
    fixed: dict[str, tuple[Any, ...]] | None = None,
    inner_tie: bool = False,
    vision: str = "",
    **defaults: Any,
) -> Family:
    return Family(
        architectures=architectures,
        configuration=f"{own} {configuration}",
        read=_dense,
        defaults={
            "attention_bias": False,
            "head_dim": HEAD_DIM_FROM_HEADS,
            "num_key_value_heads": KV_HEADS_AS_HEADS,
            "tie_word_embeddings": False,
        }
        | defaults,
        ignored=frozenset(ignored),
        fixed=fixed or {},
        inner_tie=inner_tie,
        vision=vision,
    )


_PATTERN = Computed("the last of every four layers attends to all tokens, the others to a window")

FAMILIES = {
    "phi3": _family(
        "Phi3ForCausalLM",
        configuration="Phi3Config",
        ignored=("full_attn_mod", "interpolate_factor"),
        fixed={"lm_head_bias": (False,)},
        sliding_window=None,
    ),
    "olmo2": _family("Olmo2ForCausalLM", configuration="Olmo2Config"),
    "olmo3": _family(
        "Olmo3ForCausalLM",
        configuration="Olmo3Config",
        sliding_window=4096,
        layer_types=_PATTERN,
    ),
    "cohere": _family(
        "CohereForCausalLM",
        configuration="CohereConfig",
        ignored=("logit_scale",),
        tie_word_embeddings=True,
        use_qk_norm=False,
    ),
    "cohere2": _family(
        "Cohere2ForCausalLM",
        configuration="Cohere2Config",
        ignored=(
            "cache_implementation",
            "logit_scale",
            "order_of_interleaved_layers",
            "position_embedding_type",
            "rotary_pct",
            "use_embedding_sharing",
            "use_gated_activation",
            "use_parallel_block",
            "use_parallel_embedding",
        ),
        fixed={"use_qk_norm": (False,)},
        tie_word_embeddings=True,
        sliding_window=4096,
        layer_types=_PATTERN,
    ),
    "seed_oss": _family(
        "SeedOssForCausalLM",
        configuration="SeedOssConfig",
        ignored=("residual_dropout",),
        attention_bias=True,
        attention_out_bias=False,
        mlp_bias=False,
    ),
    "smollm3": _family(
        "SmolLM3ForCausalLM",
        configuration="SmolLM3Config",
        ignored=("max_window_layers", "no_rope_layer_interval", "no_rope_layers"),
        fixed={"use_sliding_window": (False,), "sliding_window": (None,)},
        mlp_bias=False,
        tie_word_embeddings=True,
    ),
    "exaone4": _family(
        "Exaone4ForCausalLM",
        configuration="Exaone4Config",
        sliding_window=4096,
        layer_types=_PATTERN,
    ),
    "granite": _family(
        "GraniteForCausalLM",
        configuration="GraniteConfig",
        ignored=(
            "attention_multiplier",
            "embedding_multiplier",
            "logits_scaling",
            "residual_multiplier",
        ),
        mlp_bias=False,
    ),
    "hunyuan_v1_dense": _family(
        "HunYuanDenseV1ForCausalLM",
        configuration="HunYuanDenseV1Config",
        ignored=("attention_head_dim", "eod_token_id", "rope_type"),
        fixed={"use_qk_norm": (True,), "use_cla": (False,)},
    ),
    "ernie4_5": _family(
        "Ernie4_5ForCausalLM",
        "Ernie4_5_ForCausalLM",
        configuration="Ernie4_5Config",
        ignored=("compression_ratio",),
        head_dim=128,
        tie_word_embeddings=True,
        use_bias=False,
    ),
    "gemma": _family(
        "GemmaForCausalLM",
        configuration="GemmaConfig",
        fixed={"use_bidirectional_attention": (False, None)},
        head_dim=256,
        tie_word_embeddings=True,
    ),
    "glm": _family("GlmForCausalLM", configuration="GlmConfig", head_dim=128),
    "glm4": _family("Glm4ForCausalLM", configuration="Glm4Config", head_dim=128),
    "arcee": _family("ArceeForCausalLM", configuration="ArceeConfig", mlp_bias=False),
    "internlm2": _family(
        "InternLM2ForCausalLM", configuration="InternLM2Config", own="InternLM2's", bias=True
    ),
    "nemotron": _family(
        "NemotronForCausalLM",
        configuration="NemotronConfig",
        ignored=("rope_percent", "rope_percentage"),
        mlp_bias=False,
    ),
    "apertus": _family(
        "ApertusForCausalLM",
        configuration="ApertusConfig",
        fixed={"hidden_act": ("xielu",), "post_norm": (False,), "qk_norm": (True,)},
    ),
    "baichuan": _family(
        "BaichuanForCausalLM",
        "BaiChuanForCausalLM",
        configuration="BaichuanConfig",
        own="Baichuan's",
        ignored=("_from_model_config", "z_loss_weight"),
    ),
    "ministral3": _family(
        "Ministral3ForCausalLM",
        "Mistral3ForConditionalGeneration",
        configuration="Ministral3Config",
        ignored=tuple(MISTRAL_VISION),
        inner_tie=True,
        vision="pixtral",
        head_dim=128,
        sliding_window=None,
    ),
}
