"""What a ``quantization_config`` says: which formats its writer stores, and of which modules."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers.quantised import formats
from dsv3calc.importers.quantised.compressed import compressed_tensors
from dsv3calc.importers.quantised.formats import WHOLE, Format
from dsv3calc.importers.quantised.storage import (
    EVERY,
    Recorded,
    Storage,
    Unexpressed,
    cache_of,
    is_pair,
    listed,
    number_of,
    size_of,
    text_of,
    texts_of,
)
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from collections.abc import Callable


def storage_of(config: dict[str, Any], dtype: str) -> Storage:
    """Return what a configuration says.

    Raises
    ------
    Unexpressed
        If no precision can express it.
    """
    method = config.get("quant_method")
    if method is None and "quant_algo" in config:
        method = "modelopt"
    read = METHODS.get(method) if isinstance(method, str) else None
    if read is None:
        words = f"quant_method {quote(method)} is not known; known: {', '.join(METHODS)}"
        raise Unexpressed(words, "quant_method")
    recorded = Recorded(config)
    found = read(recorded, dtype)
    unread = recorded.unread()
    if unread:
        found.told.append(
            f"keys of the quantisation that are not known, nor read: {listed(unread)}"
        )
    found.formats = {"default": formats.plain(dtype)} | found.formats
    return found


# --- modelopt ---------------------------------------------------------------------------------

_MODELOPT = (
    (
        "NVIDIA Model Optimizer's export of Hugging Face checkpoints, as vLLM loads it in "
        "vllm/model_executor/layers/quantization/modelopt.py (weight, weight_scale, "
        "weight_scale_2 and input_scale of each matrix)"
    ),
    "https://github.com/vllm-project/vllm",
    "2026-11-30",
)
_ALGORITHMS: dict[str, tuple[Format, list[str]]] = {
    "FP8": (formats.fp8(formats.of_tensor(), formats.of_tensor()), ["fp8", "bf16"]),
    "FP8_PER_CHANNEL_PER_TOKEN": (
        formats.fp8(formats.scale(1, WHOLE, "float32", 32)), ["fp8", "bf16"],
    ),
    "FP8_PB_WO": (formats.fp8(formats.scale(128, 128, "float32", 32)), ["fp8", "bf16"]),
    "MXFP8": (formats.microscaled("float8_e4m3fn", 8), ["mxfp8", "bf16"]),
    "NVFP4": (formats.nvfp4(inputs=True), ["fp4", "bf16"]),
    "W4A16_NVFP4": (formats.nvfp4(inputs=False), ["bf16"]),
    "NVFP4_W4A16": (formats.nvfp4(inputs=False), ["bf16"]),
    "W4A16_MXFP4": (formats.microscaled("float4_e2m1", 4), ["bf16"]),
}  # fmt: skip


def _modelopt(config: dict[str, Any], dtype: str) -> Storage:  # noqa: ARG001 - scales are FP32
    algorithm = text_of(config, "quant_algo").upper()
    cache = config.get("kv_cache_quant_algo", config.get("kv_cache_scheme"))
    layers = config.get("quantized_layers")
    if algorithm == "MIXED_PRECISION" and isinstance(layers, dict):
        by: dict[str, list[str]] = {}
        for module, how in layers.items():
            by.setdefault(text_of(how, "quant_algo").upper(), []).append(module)
        targets = [(tuple(names), _algorithm(name)) for name, names in by.items()]
        compute = ["bf16"]
    else:
        targets = [((EVERY,), _algorithm(algorithm))]
        compute = _ALGORITHMS[algorithm][1]
    size = config.get("group_size")
    if size not in (None, 16, 32) and "FP4" in algorithm:
        raise Unexpressed(f"{algorithm} with group_size {quote(size)}", "group_size")
    return Storage(
        name=f"modelopt-{algorithm.lower().replace('_', '-')}",
        formats={key: _ALGORITHMS[key][0] for _, key in targets},
        targets=targets,
        ignored=[*texts_of(config, "exclude_modules"), *texts_of(config, "ignore")],
        head=not isinstance(layers, dict) or "lm_head" in layers,
        compute=compute,
        source=_MODELOPT,
        kv_format=cache_of(cache),
    )


def _algorithm(name: str) -> str:
    if name not in _ALGORITHMS:
        known = ", ".join(_ALGORITHMS)
        raise Unexpressed(f"quant_algo {quote(name)}; known: {known}", "quant_algo")
    return name


# --- fp8, fbgemm ------------------------------------------------------------------------------

_TRANSFORMERS = (
    (
        "huggingface/transformers, src/transformers/integrations/finegrained_fp8.py and "
        "fbgemm_fp8.py (weights in E4M3, scales in FP32)"
    ),
    "https://github.com/huggingface/transformers",
    "2026-11-30",
)


def _fp8(config: dict[str, Any], dtype: str) -> Storage:  # noqa: ARG001 - scales are FP32
    experts = text_of(config, "moe_quant_algo").lower()
    if experts not in ("", "nvfp4") or config.get("expert_dtype"):
        key = "moe_quant_algo" if experts else "expert_dtype"
        raise Unexpressed(f"experts of another format than the rest ({experts or key})", key)
    block = config.get("weight_block_size")
    static = config.get("activation_scheme") == "static"
    if block is None:
        form = formats.fp8(formats.of_tensor(), *[formats.of_tensor()] * static)
        name = "fp8-tensor"
    elif is_pair(block):
        form = formats.fp8(formats.scale(size_of(block[0]), size_of(block[1]), "float32", 32))
        name = f"fp8-block-{block[0]}x{block[1]}"
    else:
        raise Unexpressed(f"weight_block_size {str(block)[:60]}", "weight_block_size")
    return Storage(
        name=name,
        experts=experts,
        formats={"fp8": form},
        targets=[((EVERY,), "fp8")],
        ignored=[
            *texts_of(config, "modules_to_not_convert"),
            *texts_of(config, "ignored_layers"),
        ],
        unlisted=["eh_proj"],  # DeepSeek-V3's files have it in BF16
        compute=["fp8", "bf16"],
        source=_TRANSFORMERS,
        kv_format=cache_of(config.get("kv_cache_scheme")),
    )


def _fbgemm(config: dict[str, Any], dtype: str) -> Storage:  # noqa: ARG001 - as above
    return Storage(
        name="fbgemm-fp8",
        formats={"fp8": formats.fp8(formats.scale(1, WHOLE, "float32", 32), formats.of_tensor())},
        targets=[((EVERY,), "fp8")],
        ignored=texts_of(config, "modules_to_not_convert"),
        compute=["fp8", "bf16"],
        source=_TRANSFORMERS,
    )


# --- integers ---------------------------------------------------------------------------------

_PACKED = (
    (
        "AutoGPTQ and AutoAWQ checkpoints: qweight and qzeros packed in int32, scales in float16 "
        "for each group; GPTQ stores g_idx, an int32 for each input"
    ),
    "https://docs.rs/ferrum-quantization/0.7.0/ferrum_quantization/gptq/index.html",
    "2026-11-30",
)


def _awq(config: dict[str, Any], dtype: str) -> Storage:  # noqa: ARG001 - scales are float16
    return _packed(config, "awq", number_of(config, "w_bit", "bits", default=4), [])


def _gptq(config: dict[str, Any], dtype: str) -> Storage:  # noqa: ARG001 - as above
    written = text_of(config, "checkpoint_format") or "gptq"
    if written not in ("gptq", "gptq_v2"):
        raise Unexpressed(f"checkpoint_format {quote(written)}", "checkpoint_format")
    dynamic = config.get("dynamic") or {}
    left = [name for name in dynamic if str(name).startswith("-:")]
    if len(left) < len(dynamic):
        raise Unexpressed("dynamic: matrices of other bits", "dynamic")
    index = formats.scale(WHOLE, 1, "int32", 32)
    found = _packed(config, "gptq", number_of(config, "bits", default=4), [index])
    found.ignored += [f"re:{name[2:]}" for name in left]
    return found


def _packed(config: dict[str, Any], method: str, bits: int, more: list[Format]) -> Storage:
    if bits not in (2, 3, 4, 8):
        raise Unexpressed(f"{method} with {bits} bits", "bits")
    told = []
    size = number_of(config, "group_size", "q_group_size", default=128, least=-1)
    if "group_size" not in config and "q_group_size" not in config:
        told.append("group_size is not in the file; the default of its class, 128, is used")
    scale = formats.scale(1, WHOLE if size == -1 else size, "float16", 16, zero_point_bits=bits)
    return Storage(
        name=f"{method}-int{bits}" + (f"-g{size}" if size != -1 else ""),
        formats={"packed": formats.integers(bits, scale, *more)},
        targets=[((EVERY,), "packed")],
        ignored=texts_of(config, "modules_to_not_convert"),
        head=bool(config.get("lm_head")),
        compute=["bf16"],
        source=_PACKED,
        told=told,
    )


_BITSANDBYTES = (
    (
        "bitsandbytes checkpoints as transformers saves them: absmax of each 64 elements (nested: "
        "bytes with an FP32 of 256 of them), code books; INT8 has SCB of each output, weight_format"
    ),
    "https://huggingface.co/docs/bitsandbytes/main/en/reference/nn/linear4bit",
    "2026-11-30",
)


def _bitsandbytes(config: dict[str, Any], dtype: str) -> Storage:  # noqa: ARG001 - as above
    told = []
    if config.get("load_in_4bit"):
        kind = config.get("bnb_4bit_quant_type", "fp4")
        if kind not in ("nf4", "fp4"):
            raise Unexpressed(f"bnb_4bit_quant_type {quote(kind)}", "bnb_4bit_quant_type")
        form = formats.normal_floats(nested=bool(config.get("bnb_4bit_use_double_quant")))
        told.append("the text of quant_state, about 100 bytes of each matrix, is not counted")
    elif config.get("load_in_8bit"):
        scale = formats.scale(1, WHOLE, "float32", 32)
        form = formats.integers(8, scale, formats.of_tensor("uint8", 8))
    else:
        raise Unexpressed("neither load_in_4bit nor load_in_8bit")
    return Storage(
        name="bitsandbytes",
        formats={"bnb": form},
        targets=[((EVERY,), "bnb")],
        ignored=texts_of(config, "llm_int8_skip_modules"),
        compute=["bf16"],
        source=_BITSANDBYTES,
        told=told,
    )


_GPT_OSS = (
    "gpt-oss model card, arXiv:2508.10925, section 2.1 (MoE weights in MXFP4 at 4.25 bits)",
    "https://arxiv.org/abs/2508.10925",
    "2026-11-23",
)


def _mxfp4(config: dict[str, Any], dtype: str) -> Storage:  # noqa: ARG001 - scales are bytes
    return Storage(
        name="mxfp4-experts",
        formats={"mxfp4": formats.microscaled("float4_e2m1", 4)},
        targets=[(("mlp.experts", "block_sparse_moe.experts", "feed_forward.experts"), "mxfp4")],
        ignored=texts_of(config, "modules_to_not_convert"),
        compute=["bf16"],
        source=_GPT_OSS,
    )


METHODS: dict[str, Callable[[dict[str, Any], str], Storage]] = {
    "fp8": _fp8,
    "mxfp4": _mxfp4,
    "compressed-tensors": compressed_tensors,
    "modelopt": _modelopt,
    "modelopt_fp4": _modelopt,
    "awq": _awq,
    "gptq": _gptq,
    "bitsandbytes": _bitsandbytes,
    "fbgemm_fp8": _fbgemm,
}
"""``quant_method`` -> what reads it."""
