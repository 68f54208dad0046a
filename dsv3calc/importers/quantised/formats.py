"""What the writers of quantised files store of one matrix, as formats of the precision schema."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

Format = dict[str, Any]

WHOLE = 2**30
"""Rows or columns of a block that takes in all of a matrix."""

WIDTHS = {"bfloat16": 16, "float16": 16, "float32": 32}
"""Data types of what is not quantised."""


def plain(dtype: str) -> Format:
    """Return the format of what is not quantised."""
    return {"dtype": dtype, "bits": WIDTHS[dtype]}


def scale(rows: int, columns: int, dtype: str, bits: int, zero_point_bits: int = 0) -> Format:
    """Return a scale of blocks of a matrix."""
    found = {"rows": rows, "columns": columns, "dtype": dtype, "bits": bits}
    return found | ({"zero_point_bits": zero_point_bits} if zero_point_bits else {})


def of_tensor(dtype: str = "float32", bits: int = 32, count: int = 1) -> Format:
    """Return what is stored once for a matrix: scales of its input, a shape, a code book."""
    found = scale(WHOLE, WHOLE, dtype, bits)
    return found | ({"count": count} if count > 1 else {})


def fp8(weights: Format, *more: Format) -> Format:
    """Return E4M3 elements with a scale of weights, and what else is stored."""
    return _quantised("float8_e4m3fn", 8, weights, *more)


def nvfp4(*, inputs: bool) -> Format:
    """Return NVFP4: E4M3 scales of 16, one of the matrix, and one of its inputs in W4A4."""
    block = scale(1, 16, "float8_e4m3fn", 8)
    return _quantised("float4_e2m1", 4, block, *[of_tensor()] * (1 + inputs))


def microscaled(dtype: str, bits: int) -> Format:
    """Return an MX format: one power of two, a byte, for 32 elements."""
    return _quantised(dtype, bits, scale(1, 32, "uint8", 8))


def integers(bits: int, weights: Format, *more: Format) -> Format:
    """Return integers of so many bits with their scales, and what else is stored."""
    return _quantised(f"int{bits}", bits, weights, *more)


def normal_floats(*, nested: bool) -> Format:
    """Return NF4 or FP4 of bitsandbytes: an absolute maximum of 64, a code book of 16.

    Nested maxima are bytes with a maximum of 256 of them, and a code book of 256. Blocks go over
    the flattened matrix, whose rows are multiples of 64.
    """
    code = of_tensor(count=16)
    if not nested:
        return _quantised("nf4", 4, scale(1, 64, "float32", 32), code)
    maxima = scale(1, 64 * 256, "float32", 32)
    return _quantised("nf4", 4, scale(1, 64, "uint8", 8), maxima, code, of_tensor(count=256))


def _quantised(dtype: str, bits: int, first: Format, *more: Format) -> Format:
    return {"dtype": dtype, "bits": bits, "scale": first} | (
        {"more_scales": [*more]} if more else {}
    )
