"""Which precision preset a config's dtype and quantization_config stand for."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_DTYPES = ("torch_dtype", "dtype")
_PRESETS = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
"""Data type of a checkpoint -> the preset that stores everything in it."""
_FOUR_BIT_METHODS = ("awq", "gptq")
_BLOCK = [128, 128]
_KIMI_WEIGHTS = {
    "num_bits": 4, "group_size": 32, "type": "int", "strategy": "group", "symmetric": True,
}  # fmt: skip
_KIMI_LEFT_OUT = {
    "lm_head", "re:.*self_attn.*", "re:.*shared_experts.*",
    "re:.*mlp\\.(gate|up|gate_up|down)_proj.*",
}  # fmt: skip
"""What such files leave out of four bits."""


def precision(readers: list[Reader]) -> str:
    """Return a preset's name; a quantisation that none describes is refused, not guessed."""
    for reader in readers:
        reader.skip("quantization_config", *_DTYPES)
    for reader in readers:
        if reader.has("quantization_config"):
            return _quantized(reader)
    for reader in readers:
        for name in _DTYPES:
            if reader.has(name):
                dtype = str(reader.data[name]).removeprefix("torch.")
                if dtype not in _PRESETS:
                    what = f"{name} {quote(reader.data[name])} is stored by no precision preset"
                    reader.refuse(name, what, valid=", ".join(_PRESETS))
                return _PRESETS.get(dtype, "bf16")
    _assume(readers[0], "config.json names no dtype")
    return "bf16"


def _quantized(reader: Reader) -> str:
    config = reader.data["quantization_config"]
    if not isinstance(config, dict):
        reader.refuse("quantization_config", f"quantization_config is {quote(config)}")
        return "bf16"
    method = config.get("quant_method")
    if method == "mxfp4":
        return "mxfp4"
    if method == "fp8" and config.get("weight_block_size") == _BLOCK:
        return _in_blocks(reader)
    if method in _FOUR_BIT_METHODS and config.get("bits", 4) == 4:  # noqa: PLR2004 - four bits
        reader.findings.assumed["precision"] = (
            f"precision = int4: {method} with four bits; groups of 128 and which tensors stay in "
            "16 bits are the preset's"
        )
        return "int4"
    if method == "compressed-tensors" and _four_bit_experts(config):
        reader.findings.assumed["precision"] = (
            "precision = int4-kimi-k2: experts alone in four bits and groups of 32; scales in "
            "bfloat16 are the preset's"
        )
        return "int4-kimi-k2"
    reader.refuse(
        "quantization_config",
        f"no precision preset describes quant_method {quote(method)}",
        why="the bytes of its weights would be a guess",
        valid="fp8 with blocks of 128x128, mxfp4, awq and gptq with 4 bits, compressed-tensors "
        "of experts alone in groups of 32",
        next="--ignore-key quantization_config counts the weights in torch_dtype",
    )
    return "bf16"


def _in_blocks(reader: Reader) -> str:
    """Return the precision of files in FP8 with blocks, whose experts may be in FP4."""
    if not reader.family.fp8:
        reader.findings.assumed["precision"] = (
            "precision = fp8-deepseek-v3: the blocks of 128x128 are config.json's; which "
            "tensors stay in bfloat16 is taken from DeepSeek-V3"
        )
        return "fp8-deepseek-v3"
    if not reader.family.fp4_experts:
        return reader.family.fp8
    if not reader.has("expert_dtype"):
        reader.findings.assumed["precision"] = (
            f"precision = {reader.family.fp8}: experts in FP8 too, as no expert_dtype is given"
        )
        return reader.family.fp8
    given = reader.data["expert_dtype"]
    if given not in ("fp4", "fp8"):
        what = f"expert_dtype {quote(given)} is stored by no precision preset"
        reader.refuse("expert_dtype", what, valid="fp4, fp8")
    return reader.family.fp4_experts if given == "fp4" else reader.family.fp8


def _four_bit_experts(config: dict[str, Any]) -> bool:
    """Tell whether compressed-tensors packs routed experts alone, as Kimi-K2-Thinking does."""
    groups = config.get("config_groups")
    if not isinstance(groups, dict) or len(groups) != 1:
        return False
    group = next(iter(groups.values()))
    weights = group.get("weights") if isinstance(group, dict) else None
    if not isinstance(weights, dict) or group.get("input_activations") is not None:
        return False
    held = {key: weights.get(key) for key in _KIMI_WEIGHTS}
    left_out = config.get("ignore")
    return held == _KIMI_WEIGHTS and isinstance(left_out, list) and set(left_out) >= _KIMI_LEFT_OUT


def _assume(reader: Reader, why: str) -> None:
    reader.findings.assumed["precision"] = f"precision = bf16: {why}"
