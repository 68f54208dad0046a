"""What a quantised file stores, and the values of its configuration."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.importers.quantised.formats import WHOLE, Format
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERY = "every Linear"
"""Target that stands for each matrix of the layers."""


_MOST_LISTED = 3


class Unexpressed(Exception):
    """A configuration says what no precision can express: ``words`` say what, ``keys`` where."""

    def __init__(self, words: str, *keys: str) -> None:
        super().__init__(words)
        self.words = words
        self.keys = keys


_WITHOUT_EFFECT = frozenset({
    # of the writer and its run
    "quant_method", "version", "producer", "quantization_status", "global_compression_ratio",
    "meta", "backend", "model_name_or_path", "model_file_base_name", "tokenizer", "dataset",
    "batch_size", "pad_token_id", "model_seqlen", "max_input_length", "cache_block_outputs",
    "block_name_to_quantize", "module_name_preceding_first_block", "true_sequential",
    "static_groups", "damp_percent", "damp_auto_increment",
    # of the values and the kernels, which change no size
    "sym", "desc_act", "zero_point", "has_zero_point", "pre_quant_scale", "clamp_val",
    "smoothquant_val", "fmt", "scale_fmt", "activation_scale_ub", "exllama_config",
    "use_exllama", "use_cuda_fp16", "do_fuse", "modules_to_fuse", "fuse_max_seq_len",
    "is_marlin_format", "pack_dtype", "_load_in_4bit", "_load_in_8bit",
    "bnb_4bit_compute_dtype", "bnb_4bit_quant_storage", "load_in_4bit", "load_in_8bit",
    "llm_int8_enable_fp32_cpu_offload", "llm_int8_has_fp16_weight", "llm_int8_threshold",
    # what other keys say too
    "config_groups", "format",
})  # fmt: skip
"""Keys of quantisation configurations on which no count depends."""


class Recorded(dict[str, Any]):
    """A configuration that knows which of its keys were asked for."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default."""
        self.asked.add(key)
        return super().get(key, default)

    def unread(self) -> list[str]:
        """Return the keys that were not asked for and that may change a count."""
        return [key for key in self if key not in self.asked and key not in _WITHOUT_EFFECT]


class Storage(msgspec.Struct, kw_only=True):
    """What a file stores and of which modules.

    ``targets`` gives formats by what they are for: :data:`EVERY`, or names of modules; the first
    that has a module decides. ``ignored`` are names of modules that stay as they are, and
    ``unlisted`` those that a writer leaves so without a list. ``head`` says that the output head
    is quantised unless it is ignored. ``compute`` are the peaks that products of quantised
    matrices run at, ``activations`` the format of their inputs. ``experts`` is a format that
    routed experts alone are in, beside that of the rest. ``told`` is what a reader must know.
    """

    name: str
    experts: str = ""
    formats: dict[str, Format]
    targets: list[tuple[tuple[str, ...], str]]
    ignored: list[str] = msgspec.field(default_factory=list)
    unlisted: list[str] = msgspec.field(default_factory=list)
    head: bool = False
    compute: list[str]
    activations: str = "default"
    source: tuple[str, str, str]
    kv_format: str | None = None
    told: list[str] = msgspec.field(default_factory=list)


def listed(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    shown = ", ".join(quote(name) for name in names[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def cache_of(scheme: Any) -> str | None:
    """Return the KV format that a file declares: ``kv_cache_scheme`` or ``kv_cache_quant_algo``."""
    if scheme is None or scheme == "none":
        return None
    if isinstance(scheme, str):
        known = {"FP8": "fp8", "NVFP4": "nvfp4", "AUTO": None}
        if scheme.upper() not in known:
            raise Unexpressed(f"a KV cache in {scheme!r}")
        return known[scheme.upper()]
    bits = scheme.get("num_bits") if isinstance(scheme, dict) else None
    kind = scheme.get("type", "float") if isinstance(scheme, dict) else None
    if (bits, kind) == (8, "float"):
        return "fp8"
    raise Unexpressed(f"a KV cache of {bits!r} bits of type {kind!r}")


def text_of(config: Any, key: str) -> str:
    """Return a text of a mapping; empty where it has none."""
    value = config.get(key) if isinstance(config, dict) else None
    return value if isinstance(value, str) else ""


def texts_of(config: dict[str, Any], key: str) -> list[str]:
    """Return a list of texts; empty where there is none."""
    value = config.get(key)
    if value is None:
        return []
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Unexpressed(f"{key} is no list of names", key)
    return value


def number_of(config: dict[str, Any], *keys: str, default: int, least: int = 1) -> int:
    """Return the first of the keys that is given; ``least`` may stand for all."""
    for key in keys:
        value = config.get(key)
        if value is None:
            continue
        if type(value) is not int or (value < 1 and value != least):
            raise Unexpressed(f"{key} is {quote(value)}, not a whole number of at least 1", key)
        if value > WHOLE:
            raise Unexpressed(f"{key} is {quote(value)}, more than {WHOLE:,}", key)
        return value
    return default


def size_of(value: Any) -> int:
    """Return the width of a block."""
    if type(value) is not int or not 1 <= value <= WHOLE:
        raise Unexpressed(f"a block of {value!r}")
    return value


def is_pair(value: Any) -> bool:
    """Tell whether a value lists rows and columns."""
    return isinstance(value, list) and len(value) == 2  # noqa: PLR2004 - rows and columns
