"""Keys that a file omits: a size is refused, a switch takes the default of its class and says so.

The defaults are those of transformers 5.24's configuration classes, the same as in 4.57, and of
the repositories' own classes for ``qwen``, ``deepseek`` and ``kimi_k2``.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import newer_types
import pytest
from measured_hybrids import MEASURED, OTHERWISE

from dsv3calc.errors import InvalidInput
from dsv3calc.importers.families import MODULES, family
from dsv3calc.importers.huggingface import import_config
from dsv3calc.reading.source import Source

CONFIGS = Path(__file__).with_name("configs")
WIDTHS = {"hidden_size", "vocab_size", "num_hidden_layers", "num_attention_heads"}
HEADS = WIDTHS | {"num_key_value_heads"}
DENSE = HEADS | {"intermediate_size"}
LATENT = (
    WIDTHS | {"intermediate_size", "first_k_dense_replace", "kv_lora_rank", "q_lora_rank"}
) | {
    "qk_nope_head_dim",
    "qk_rope_head_dim",
    "v_head_dim",
}
FINE = {"n_routed_experts", "num_experts_per_tok", "moe_intermediate_size", "n_shared_experts"}
INDEXER = {"index_n_heads", "index_head_dim", "index_topk"}
EXPERTS = {"num_local_experts", "num_experts_per_tok"}

SIZES = {
    "llama": WIDTHS | {"intermediate_size"},
    "mistral": DENSE,
    "mixtral": DENSE | EXPERTS,
    "qwen": WIDTHS | {"intermediate_size", "kv_channels"},
    "qwen2": DENSE,
    "qwen2_moe": HEADS
    | {"num_experts", "num_experts_per_tok", "moe_intermediate_size"}
    | {"shared_expert_intermediate_size"},
    "qwen3": DENSE | {"head_dim"},
    "qwen3_moe": HEADS | {"num_experts", "num_experts_per_tok", "moe_intermediate_size"},
    "deepseek": DENSE | FINE | {"first_k_dense_replace"},
    "deepseek_v2": LATENT | FINE,
    "deepseek_v3": LATENT | FINE,
    "deepseek_v32": LATENT | FINE | INDEXER,
    "kimi_k2": LATENT | FINE,
    "glm4_moe": DENSE | FINE | {"first_k_dense_replace"},
    "gpt_oss": DENSE | EXPERTS | {"head_dim", "sliding_window"},
    "gemma2": DENSE | {"head_dim", "sliding_window"},
    "llama4_text": DENSE | EXPERTS | {"head_dim", "intermediate_size_mlp"},
    "olmoe": WIDTHS | {"intermediate_size", "num_experts", "num_experts_per_tok"},
    "phimoe": DENSE | EXPERTS,
    "minimax_m2": DENSE | EXPERTS | {"head_dim"},
}
"""The keys without which a file is refused. Gemma 3's files omit heads and vocabulary."""

SIZES |= newer_types.SIZES

V3 = {
    "attention_bias": "false",
    "n_group": "8",
    "tie_word_embeddings": "false",
    "topk_group": "4",
}
SWITCHES = {
    "llama": (
        "transformers' LlamaConfig",
        {"attention_bias": "false", "mlp_bias": "false", "tie_word_embeddings": "false"},
    ),
    "mistral": (
        "transformers' MistralConfig",
        {"sliding_window": "4096", "tie_word_embeddings": "false"},
    ),
    "mixtral": (
        "transformers' MixtralConfig",
        {"sliding_window": "null", "tie_word_embeddings": "false"},
    ),
    "qwen": ("Qwen-7B's QWenConfig", {"no_bias": "true", "tie_word_embeddings": "false"}),
    "qwen2": (
        "transformers' Qwen2Config",
        {"tie_word_embeddings": "false", "use_sliding_window": "false"},
    ),
    "qwen2_moe": (
        "transformers' Qwen2MoeConfig",
        {
            "decoder_sparse_step": "1",
            "mlp_only_layers": "[]",
            "tie_word_embeddings": "false",
            "use_sliding_window": "false",
        },
    ),
    "qwen3": (
        "transformers' Qwen3Config",
        {
            "attention_bias": "false",
            "tie_word_embeddings": "false",
            "use_sliding_window": "false",
        },
    ),
    "qwen3_moe": (
        "transformers' Qwen3MoeConfig",
        {
            "attention_bias": "false",
            "decoder_sparse_step": "1",
            "mlp_only_layers": "[]",
            "tie_word_embeddings": "false",
            "use_sliding_window": "false",
        },
    ),
    "deepseek": (
        "deepseek-moe-16b's DeepseekConfig",
        {"attention_bias": "false", "moe_layer_freq": "1", "tie_word_embeddings": "false"},
    ),
    "deepseek_v2": (
        "transformers' DeepseekV2Config",
        {
            "attention_bias": "false",
            "n_group": "null",
            "tie_word_embeddings": "false",
            "topk_group": "null",
            "topk_method": "greedy",
        },
    ),
    "deepseek_v3": ("transformers' DeepseekV3Config", V3),
    "deepseek_v32": ("transformers' DeepseekV32Config", V3),
    "kimi_k2": (
        "Kimi-K2's DeepseekV3Config",
        V3 | {"moe_layer_freq": "1", "topk_method": "noaux_tc"},
    ),
    "glm4_moe": (
        "transformers' Glm4MoeConfig",
        {
            "attention_bias": "false",
            "n_group": "1",
            "tie_word_embeddings": "false",
            "topk_group": "1",
            "use_qk_norm": "false",
        },
    ),
    "gpt_oss": ("transformers' GptOssConfig", {"tie_word_embeddings": "false"}),
    "gemma2": (
        "transformers' Gemma2Config",
        {"attention_bias": "false", "tie_word_embeddings": "true"},
    ),
    "gemma3_text": (
        "transformers' Gemma3TextConfig",
        {
            "attention_bias": "false",
            "sliding_window_pattern": "6",
            "tie_word_embeddings": "true",
        },
    ),
    "llama4_text": (
        "transformers' Llama4TextConfig",
        {
            "attention_bias": "false",
            "attention_chunk_size": "8192",
            "interleave_moe_layer_step": "1",
            "no_rope_layer_interval": "4",
            "tie_word_embeddings": "false",
        },
    ),
    "olmoe": (
        "transformers' OlmoeConfig",
        {"attention_bias": "false", "tie_word_embeddings": "false"},
    ),
    "phimoe": (
        "transformers' PhimoeConfig",
        {
            "attention_bias": "false",
            "lm_head_bias": "false",
            "sliding_window": "null",
            "tie_word_embeddings": "false",
        },
    ),
    "minimax_m2": ("transformers' MiniMaxM2Config", {"tie_word_embeddings": "false"}),
}
"""Configuration class, and the defaults of its switches and options as a message shows them."""

SWITCHES |= newer_types.SWITCHES

DERIVED = {
    "mistral": {"head_dim": "16 is used: hidden_size / num_attention_heads"},
    "qwen3_moe": {"head_dim": "16 is used: hidden_size / num_attention_heads"},
    "glm4_moe": {"head_dim": "16 is used: hidden_size / num_attention_heads"},
    "phimoe": {"head_dim": "16 is used: hidden_size / num_attention_heads"},
    "olmoe": {"num_key_value_heads": "4 is used: num_attention_heads"},
    "deepseek_v3": {
        "moe_layer_freq": "1 is used: transformers' code always does this",
        "num_key_value_heads": "4 is used: num_attention_heads",
        "num_nextn_predict_layers": "0 is used: the file describes the main model alone",
        "topk_method": "noaux_tc is used: transformers' code always does this",
    },
    "gpt_oss": {"layer_types": "every second layer attends to all tokens, the others to a window"},
    "minimax_m2": {
        "use_qk_norm": "true is used: transformers' code always does this",
        "use_mtp": "false is used: transformers' code always does this",
    },
}


def config(name, *, without=(), **changes):
    data = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))
    return {key: value for key, value in data.items() if key not in without} | changes


def run(data):
    return import_config(Source("config.json", json.dumps(data, indent=2)))


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name, keys in SIZES.items() for key in sorted(keys)]
)
def test_a_size_is_never_assumed(name, key):
    other_names = {
        "num_experts_per_tok": "experts_per_token",
        "sliding_window": "sliding_window_size",
    }
    with pytest.raises(InvalidInput) as caught:
        run(config(name, without=(key, other_names.get(key))))
    (problem,) = caught.value.problems
    assert problem.what == f"{key} is missing"
    assert problem.why == "the model is not known without it, and no size is assumed"


@pytest.mark.parametrize("name", SWITCHES)
def test_an_absent_switch_takes_the_default_of_its_class(name):
    configuration, defaults = SWITCHES[name]
    skipped = {"layer_types", "mlp_layer_types", "no_rope_layers", "moe_layers"}
    found = run(config(name, without={*defaults, *skipped}, torch_dtype="bfloat16"))
    for key, value in defaults.items():
        text = f"{key} is not in the file; {configuration} default {value} is used"
        assert text in found.assumptions
    tied = defaults["tie_word_embeddings"] == "true"
    assert found.data["tie_word_embeddings"] is tied
    assert found.data["provenance"]["tie_word_embeddings"] == "assumed_tie_word_embeddings"


@pytest.mark.parametrize("name", DERIVED)
def test_what_the_code_derives_is_told(name):
    found = run(config(name, without=DERIVED[name]))
    for key, text in DERIVED[name].items():
        assert any(
            assumption.startswith(f"{key} is not in the file; {text}")
            for assumption in found.assumptions
        )


def test_every_supported_type_has_its_defaults_here():
    constant = {"dbrx"}  # never tied, and no other switch
    plain = {name for name in MODULES if family(name).read} - constant
    measured = set(MEASURED) | OTHERWISE  # with tests of their own
    assert set(SWITCHES) == plain - measured - newer_types.VISION
    assert set(SIZES) == plain - measured - {"gemma3_text"}


def test_what_the_defaults_make():
    (group,) = run(config("mistral", without=["sliding_window"])).data["groups"]
    assert group["attention"]["sliding_window"] == 4096
    (group,) = run(config("phimoe", without=["sliding_window"])).data["groups"]
    assert "sliding_window" not in group["attention"]
    groups = run(config("gpt_oss", without=["layer_types"])).data["groups"]
    assert [(each["layers"], each["attention"].get("span", "full")) for each in groups] == [
        ("0::2", "sliding"),
        ("1::2", "full"),
    ]
    groups = run(config("deepseek_v2", without=["topk_method"])).data["groups"]
    assert "n_group" not in groups[1]["feed_forward"]


def test_a_width_that_no_layer_has_is_not_asked_for():
    found = run(config("qwen3_moe", without=["intermediate_size"]))
    assert [group["feed_forward"]["type"] for group in found.data["groups"]] == ["moe"]
    with pytest.raises(InvalidInput, match="intermediate_size is missing"):
        run(config("qwen3_moe", without=["intermediate_size"], mlp_only_layers=[0]))
