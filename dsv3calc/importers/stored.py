"""Which precision preset a config's dtype and quantization_config stand for."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.diagnostics import quote

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader

_DTYPES = ("torch_dtype", "dtype")
_SIXTEEN_BITS = ("bfloat16", "float16", "torch.bfloat16", "torch.float16")
_BLOCK = [128, 128]


def precision(readers: list[Reader]) -> str:
    """Return a preset's name; what no preset describes becomes bf16 and an assumption."""
    for reader in readers:
        reader.skip("quantization_config", *_DTYPES)
    for reader in readers:
        if reader.has("quantization_config"):
            return _quantized(reader)
    for reader in readers:
        for name in _DTYPES:
            if reader.has(name):
                if reader.data[name] not in _SIXTEEN_BITS:
                    _assume(reader, f"no preset stores {name} {quote(reader.data[name])}")
                return "bf16"
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
        if not reader.family.own_fp8:
            reader.findings.assumed["precision"] = (
                "precision = fp8-deepseek-v3: the blocks of 128x128 are config.json's; which "
                "tensors stay in bfloat16 is taken from DeepSeek-V3"
            )
        return "fp8-deepseek-v3"
    _assume(reader, f"no preset describes its quantization_config (quant_method {quote(method)})")
    return "bf16"


def _assume(reader: Reader, why: str) -> None:
    reader.findings.assumed["precision"] = f"precision = bf16: {why}"
