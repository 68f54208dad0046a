"""What a quantised file stores, and the values of its configuration."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import msgspec

from dsv3calc.importers.quantised.formats import WHOLE, Format

EVERY = "every Linear"
"""Target that stands for each matrix of the layers."""


class Unexpressed(Exception):
    """A configuration says what no precision can express: ``words`` say what."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Storage(msgspec.Struct, kw_only=True):
    """What a file stores and of which modules.

    ``targets`` gives formats by what they are for: :data:`EVERY`, or names of modules; the first
    that has a module decides. ``ignored`` are names of modules that stay as they are. ``head``
    says that the output head is quantised unless it is ignored. ``compute`` are the peaks that
    products of quantised matrices run at, ``activations`` the format of their inputs. ``experts``
    is a format that routed experts alone are in, beside that of the rest. ``told`` is what a
    reader must know.
    """

    name: str
    experts: str = ""
    formats: dict[str, Format]
    targets: list[tuple[tuple[str, ...], str]]
    ignored: list[str] = msgspec.field(default_factory=list)
    head: bool = False
    compute: list[str]
    activations: str = "default"
    source: tuple[str, str, str]
    kv_format: str | None = None
    told: list[str] = msgspec.field(default_factory=list)


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
        raise Unexpressed(f"{key} is no list of names")
    return value


def number_of(config: dict[str, Any], *keys: str, least: int = 1) -> int:
    """Return the first of the keys that is a number; ``least`` may stand for all."""
    for key in keys:
        value = config.get(key)
        if type(value) is int and (value >= 1 or value == least):
            return value
    raise Unexpressed(f"{keys[0]} is missing or no number")


def size_of(value: Any) -> int:
    """Return the width of a block."""
    if type(value) is not int or not 1 <= value <= WHOLE:
        raise Unexpressed(f"a block of {value!r}")
    return value


def is_pair(value: Any) -> bool:
    """Tell whether a value lists rows and columns."""
    return isinstance(value, list) and len(value) == 2  # noqa: PLR2004 - rows and columns
