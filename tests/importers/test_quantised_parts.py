"""Quantised files whose parts are named in their own way: mixers, latent widths, experts alone."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.errors import InvalidInput

CONFIGS = Path(__file__).with_name("configs")


def stored(tmp_path, name, quantization=None, beside=None, **changes):
    """Return the bytes of a file's weights by data type."""
    data = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8")) | changes
    if quantization is not None:
        data["quantization_config"] = quantization
    (tmp_path / "config.json").write_text(json.dumps(data))
    if beside is not None:
        (tmp_path / "hf_quant_config.json").write_text(json.dumps({"quantization": beside}))
    found = dsv3calc.params(str(tmp_path))
    every = {line.tags.dtype: line.value for line in found.walk() if line.tags.dtype}
    return found["weights.bytes"], every


V4 = {
    "quant_method": "fp8",
    "weight_block_size": [128, 128],
    "quant_algo": "MIXED_PRECISION",
    "moe_quant_algo": "NVFP4",
    "group_size": 16,
    "ignore": ["*.attn.*", "*.ffn.shared_experts.*", "head", "mtp.*"],
}
FP4 = {"quant_method": "fp8", "weight_block_size": [128, 128]}


def test_experts_of_deepseek_v4_in_nvfp4(tmp_path):
    """Against DeepSeek's own files: scales of 16 in place of 32, and eight bytes of a matrix."""
    data = json.loads((CONFIGS / "deepseek_v4.json").read_text(encoding="utf-8"))
    changes = {"expert_dtype": "fp4", "torch_dtype": "bfloat16"}
    nvfp4, _ = stored(tmp_path, "deepseek_v4", V4, **changes)
    mxfp4, _ = stored(tmp_path, "deepseek_v4", FP4, **changes)
    matrices = 3 * data["n_routed_experts"] * data["num_hidden_layers"]
    hidden, width = data["hidden_size"], data["moe_intermediate_size"]

    def scales(size):
        return 2 * width * -(-hidden // size) + hidden * -(-width // size)

    more = (scales(16) - scales(32)) * matrices // 3 + 8 * matrices
    assert nvfp4 - mxfp4 == more


def test_experts_alone_in_nvfp4_of_another_family_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match="experts of another format"):
        stored(tmp_path, "deepseek_v3", V4)


NEMOTRON = {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}


def nemotron_matrices(data):
    """Count the elements of each kind of matrix of the small Nemotron-H by its keys."""
    hidden, inner = data["hidden_size"], data["mamba_num_heads"] * data["mamba_head_dim"]
    sides = 2 * data["n_groups"] * data["ssm_state_size"]
    mamba = hidden * (2 * inner + sides + data["mamba_num_heads"]) + inner * hidden
    width = data["num_attention_heads"] * data["head_dim"]
    shared = data["num_key_value_heads"] * data["head_dim"]
    attention = 2 * hidden * width + 2 * hidden * shared
    latent = data.get("moe_latent_size") or hidden
    experts = data["n_routed_experts"] * 2 * latent * data["moe_intermediate_size"]
    experts += 2 * hidden * data["moe_shared_expert_intermediate_size"]
    if data.get("moe_latent_size"):
        experts += 2 * hidden * latent
    return {"M": mamba, "*": attention, "E": experts, "-": 2 * hidden * data["intermediate_size"]}


def test_every_matrix_of_nemotron_h_is_named(tmp_path):
    """The letters of the pattern, each in FP8 or left in BF16 by a list of names."""
    data = json.loads((CONFIGS / "nemotron_h.json").read_text(encoding="utf-8"))
    pattern = data["hybrid_override_pattern"]
    sizes = nemotron_matrices(data)
    head = data["vocab_size"] * data["hidden_size"]
    _, plain = stored(tmp_path, "nemotron_h", beside=NEMOTRON)
    assert plain["float8_e4m3fn"] == head + sum(sizes[letter] for letter in pattern)
    first = pattern.index("M")
    left = ["lm_head", f"backbone.layers.{first}.mixer.in_proj"]
    left += [f"backbone.layers.{n}.mixer.*" for n, letter in enumerate(pattern) if letter == "E"]
    _, some = stored(tmp_path, "nemotron_h", beside=NEMOTRON | {"exclude_modules": left})
    inner = data["mamba_num_heads"] * data["mamba_head_dim"] * data["hidden_size"]
    kept = sum(sizes[letter] for letter in pattern if letter != "E") - sizes["M"] + inner
    assert some["float8_e4m3fn"] == kept


def test_a_head_among_the_quantised_layers(tmp_path):
    data = json.loads((CONFIGS / "nemotron_h.json").read_text(encoding="utf-8"))
    layers = {"lm_head": {"quant_algo": "FP8"}}
    mixed = {"quant_algo": "MIXED_PRECISION", "quantized_layers": layers}
    _, found = stored(tmp_path, "nemotron_h", beside=mixed)
    assert found["float8_e4m3fn"] == data["vocab_size"] * data["hidden_size"]


def test_gated_delta_net_of_an_fp8_file(tmp_path):
    """Qwen3-Next's FP8 files leave the rates of decay, in_proj_ba, in BF16."""
    name = "qwen3_next"
    data = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))
    left = ["lm_head", "mlp", "self_attn", *(f"model.layers.{n}.linear_attn.in_proj_ba"
            for n in range(data["num_hidden_layers"]))]  # fmt: skip
    fp8 = {"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": left}
    _, found = stored(tmp_path, name, fp8)
    keys = data["linear_num_key_heads"] * data["linear_key_head_dim"]
    values = data["linear_num_value_heads"] * data["linear_value_head_dim"]
    mixers = data["num_hidden_layers"] - data["num_hidden_layers"] // 4
    expected = mixers * data["hidden_size"] * (2 * keys + 2 * values + values)
    assert found["float8_e4m3fn"] == expected


def test_experts_of_gemma_4_are_not_in_the_feed_forward_beside_them(tmp_path):
    """NVIDIA's NVFP4 file leaves ``mlp``, the router and attention in BF16, in every layer."""
    data = json.loads((CONFIGS / "gemma4_text.json").read_text(encoding="utf-8"))
    kept = [
        f"model.language_model.layers.{layer}.{part}*"
        for layer in range(data["num_hidden_layers"])
        for part in ("mlp", "router", "self_attn")
    ]
    beside = {"quant_algo": "NVFP4", "group_size": 16, "exclude_modules": ["lm_head", *kept]}
    changes = {"moe_intermediate_size": 32}
    _, found = stored(tmp_path, "gemma4_text", beside=beside, **changes)
    experts = 3 * data["num_experts"] * data["num_hidden_layers"]
    assert found["float4_e2m1"] == experts * 32 * data["hidden_size"]
    kept = [f"model.layers.{n}.moe.experts*" for n in range(data["num_hidden_layers"])]
    _, rest = stored(tmp_path, "gemma4_text", beside=beside | {"exclude_modules": kept}, **changes)
    _, every = stored(tmp_path, "gemma4_text", beside=beside | {"exclude_modules": []}, **changes)
    assert rest["float4_e2m1"] + found["float4_e2m1"] == every["float4_e2m1"]
