"""compressed-tensors: groups of modules, each with a scheme of weights and inputs."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers.quantised import formats
from dsv3calc.importers.quantised.formats import WHOLE, WIDTHS, Format
from dsv3calc.importers.quantised.storage import (
    EVERY,
    Storage,
    Unexpressed,
    cache_of,
    is_pair,
    size_of,
    text_of,
    texts_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPRESSED = (
    (
        "vllm-project/compressed-tensors at ac8e2ba8, src/compressed_tensors/compressors and "
        "quantization/lifecycle/initialize.py (tensors and shapes that each format stores)"
    ),
    "https://github.com/vllm-project/compressed-tensors/tree/ac8e2ba82f4e0d5eaa40069f8fc642738f124cd4",
    "2026-11-30",
)


def compressed_tensors(config: dict[str, Any], dtype: str) -> Storage:
    """Return what a configuration of compressed-tensors says."""
    groups = config.get("config_groups")
    if not isinstance(groups, dict) or not groups:
        raise Unexpressed("config_groups is missing", "config_groups")
    sparsity = config.get("sparsity_config") or {}
    if text_of(sparsity, "format") not in ("", "dense"):
        words = f"sparsity_config of format {text_of(sparsity, 'format')}"
        raise Unexpressed(words, "sparsity_config", "format")
    if config.get("transform_config"):
        raise Unexpressed("transform_config", "transform_config")
    known: dict[str, Format] = {}
    targets, computes = [], []
    for name, group in groups.items():
        written = text_of(group, "format") or text_of(config, "format")
        try:
            form, compute = _group(group, written, dtype)
        except Unexpressed as error:
            raise Unexpressed(error.words, "config_groups", name, *error.keys) from None
        key = next((each for each, other in known.items() if other == form), f"group_{len(known)}")
        known[key] = form
        names = group.get("targets") or ["Linear"]
        targets.append(((EVERY,) if "Linear" in names else tuple(map(str, names)), key))
        computes.append(compute)
    compute = computes[0] if all(each == computes[0] for each in computes) else ["bf16"]
    return Storage(
        name="compressed-tensors",
        formats=known,
        targets=targets,
        ignored=texts_of(config, "ignore"),
        head=True,
        compute=compute,
        source=_COMPRESSED,
        kv_format=cache_of(config.get("kv_cache_scheme")),
    )


def _group(group: Any, written: str, dtype: str) -> tuple[Format, list[str]]:
    """Return what is stored of a matrix of a group, and the peaks of its product."""
    weights = group.get("weights") if isinstance(group, dict) else None
    if not isinstance(weights, dict):
        raise Unexpressed("a group of config_groups without weights")
    if group.get("output_activations"):
        raise Unexpressed("output_activations", "output_activations")
    inputs = group.get("input_activations")
    bits, kind = weights.get("num_bits"), weights.get("type", "int")
    if kind == "float" and bits in (4, 8):
        form, peak = _floats(weights, inputs, written, dtype)
    elif kind == "int" and bits in range(1, 9):
        form = _integers(weights, written, dtype)
        peak = "int8" if bits == 8 else ""  # noqa: PLR2004 - W8A8
    else:
        raise Unexpressed(f"weights of {bits!r} bits of type {kind!r}", "weights", "num_bits")
    return form, [peak, "bf16"] if peak and inputs else ["bf16"]


def _floats(weights: dict[str, Any], inputs: Any, written: str, dtype: str) -> tuple[Format, str]:
    """Return the format of FP4 and FP8 weights, and the peak where inputs have it too."""
    if weights["num_bits"] == 4:  # noqa: PLR2004 - FP4
        size = weights.get("group_size")
        if size not in (16, 32):
            raise Unexpressed(f"4-bit floats in groups of {size!r}", "weights", "group_size")
        if size == 32:  # noqa: PLR2004 - the block of MX formats
            return formats.microscaled("float4_e2m1", 4), "mxfp4"
        return formats.nvfp4(inputs=inputs is not None), "fp4"
    if "mxfp8" in written or weights.get("scale_dtype") == "torch.uint8":
        return formats.microscaled("float8_e4m3fn", 8), "mxfp8"
    static = isinstance(inputs, dict) and inputs.get("dynamic") is False
    more = [formats.of_tensor(dtype, WIDTHS[dtype])] if static else []
    return formats.fp8(_blocks(weights, dtype), *more), "fp8"


def _integers(weights: dict[str, Any], written: str, dtype: str) -> Format:
    """Return the format of integer weights."""
    bits, scale = weights["num_bits"], _blocks(weights, dtype)
    more = []
    if written == "pack-quantized":
        more.append(formats.of_tensor("int64", 64, count=2))  # weight_shape
    if weights.get("actorder") == "group":
        more.append(formats.scale(WHOLE, 1, "int32", 32))  # weight_g_idx
    if not weights.get("symmetric", True):
        scale["zero_point_bits"] = bits if written == "pack-quantized" else 8
    return formats.integers(bits, scale, *more)


def _blocks(weights: dict[str, Any], dtype: str) -> Format:
    """Return the scale of a strategy: of the tensor, of channels, of groups, or of blocks."""
    size: Any = weights.get("group_size")
    block: Any = weights.get("block_structure")
    strategy = weights.get("strategy") or ("group" if size else "tensor")
    rows, columns = block if is_pair(block) else (None, None)
    shapes: dict[str, Callable[[], tuple[int, int]]] = {
        "tensor": lambda: (WHOLE, WHOLE),
        "channel": lambda: (1, WHOLE),
        "group": lambda: (1, WHOLE if size == -1 else size_of(size)),
        "block": lambda: (size_of(rows), size_of(columns)),
    }
    if strategy not in shapes:
        raise Unexpressed(f"strategy {strategy!r}", "weights", "strategy")
    return formats.scale(*shapes[strategy](), dtype, WIDTHS[dtype])
