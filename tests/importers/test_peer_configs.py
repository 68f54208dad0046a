"""Configs of another project's tests, as they stand there, against the numbers that it asserts.

verl, tests/utils/test_flops_counter.py: training FLOPs of three sequences of 4,096 tokens. It
counts the whole score matrix, and the lookup of the embedding as a product, which none is.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

import dsv3calc

TOKENS = 3 * 4096
WIDTHS = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")
HEADS = ("num_attention_heads", "num_key_value_heads")
DENSE = WIDTHS + HEADS
MOE = (
    "hidden_size",
    "vocab_size",
    "num_hidden_layers",
    "num_key_value_heads",
    "num_attention_heads",
    "head_dim",
    "moe_intermediate_size",
    "num_experts_per_tok",
    "num_experts",
)


def keys(names, *values):
    return dict(zip(names, values, strict=True))


CONFIGS = {
    "llama": (keys(DENSE, 32000, 4096, 11008, 32, 32, 32), 575_955_114_393_600),
    "qwen2": (keys(DENSE, 152064, 3584, 18944, 28, 28, 4), 622_070_178_250_752),
    "qwen3": (
        keys(DENSE, 151936, 4096, 12288, 36, 32, 8) | {"head_dim": 128},
        692_924_253_732_864,
    ),
    "mistral": (
        keys(DENSE, 131072, 5120, 32768, 40, 32, 8) | {"head_dim": 128},
        1_836_871_613_153_280,
    ),
    "qwen3_moe": (keys(MOE, 2048, 151936, 48, 4, 32, 128, 768, 8, 128), 365_944_098_521_088),
}
V3 = {
    "hidden_size": 7168,
    "vocab_size": 129280,
    "moe_intermediate_size": 2048,
    "num_hidden_layers": 61,
    "first_k_dense_replace": 3,
    "num_attention_heads": 128,
    "n_routed_experts": 256,
    "num_experts_per_tok": 8,
    "n_shared_experts": 1,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "intermediate_size": 18432,
    "qk_nope_head_dim": 128,
    "q_lora_rank": 1536,
}
GPT_OSS_20B = keys(DENSE, 201088, 2880, 2880, 24, 64, 8) | {
    "head_dim": 64,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
}


@pytest.fixture
def ask(tmp_path):
    def answer(query, model_type, data):
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"model_type": model_type, **data}), encoding="utf-8")
        return dsv3calc.query(query.format(path))

    return answer


def lookup(data):
    return 6 * data["vocab_size"] * data["hidden_size"] * TOKENS


@pytest.mark.parametrize("model_type", CONFIGS)
def test_training_flops_without_the_lookup_of_the_embedding(ask, model_type):
    data, expected = CONFIGS[model_type]
    query = "flops {} --phase train --seq 4096 --batch 3 --attention full"
    assert ask(query, model_type, data)["flops.total"] == expected - lookup(data)


def test_training_flops_of_deepseek_v3(ask):
    """A later version of that test counts half of the score matrix, and the width of values."""
    query = "flops {} --phase train --seq 4096 --batch 3 --attention half"
    expected = 3_145_850_406_567_936 - 68_322_192_261_120
    assert lookup(V3) == 68_322_192_261_120
    assert ask(query, "deepseek_v3", V3)["flops.total"] == expected


def test_parameters_of_gpt_oss_20b_as_fine_tunes_are_saved(ask):
    """By hand: 24 layers of 823,186,976, embedding and head of 579,133,440 each, a norm."""
    data = GPT_OSS_20B | {"swiglu_alpha": 1.702, "swiglu_limit": 7.0}
    found = ask("params {}", "gpt_oss", data)
    assert found["parameters.total"] == 24 * 823_186_976 + 2 * 579_133_440 + 2880
    assert found["parameters.total"] == 20_914_757_184


MINIMAX_M2 = keys(DENSE, 200064, 3072, 1536, 62, 48, 8) | {
    "head_dim": 128,
    "num_local_experts": 256,
    "num_experts_per_tok": 8,
    "use_mtp": True,
    "num_mtp_modules": 3,
    "mtp_transformer_layers": 1,
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
}


def test_bytes_of_minimax_m2_as_published(ask):
    """hf-mem's README sums the headers of the safetensors of MiniMaxAI/MiniMax-M2."""
    found = ask("params {} --variant checkpoint", "minimax_m2", MINIMAX_M2)
    assert found["weights.bytes"] == 230_121_630_720
    routers, biases, scales = 62 * 256 * 3072, 62 * 256, 13_880_064
    assert found["weights.elements_by_dtype.float32"] == routers + biases + scales
    assert found["weights.elements_by_dtype.float8_e4m3fn"] == 227_410_968_576
