"""Which precision preset a config's dtype and quantization_config stand for."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_DTYPES = ("torch_dtype", "dtype")
_PRESETS = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
"""Data type of a checkpoint -> the preset that stores everything in it."""
_FOUR_BIT_METHODS = ("awq", "gptq")
_BLOCK = [128, 128]


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
        if not reader.family.fp8:
            reader.findings.assumed["precision"] = (
                "precision = fp8-deepseek-v3: the blocks of 128x128 are config.json's; which "
                "tensors stay in bfloat16 is taken from DeepSeek-V3"
            )
        return reader.family.fp8 or "fp8-deepseek-v3"
    if method in _FOUR_BIT_METHODS and config.get("bits", 4) == 4:  # noqa: PLR2004 - four bits
        reader.findings.assumed["precision"] = (
            f"precision = int4: {method} with four bits; groups of 128 and which tensors stay in "
            "16 bits are the preset's"
        )
        return "int4"
    reader.refuse(
        "quantization_config",
        f"no precision preset describes quant_method {quote(method)}",
        why="the bytes of its weights would be a guess",
        valid="fp8 with blocks of 128x128, mxfp4, awq and gptq with 4 bits",
        next="--ignore-key quantization_config counts the weights in torch_dtype",
    )
    return "bf16"


def _assume(reader: Reader, why: str) -> None:
    reader.findings.assumed["precision"] = f"precision = bf16: {why}"
