"""Rows of attention: over new tokens, and over a cache."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dsv3calc.formulas.flash_mla import mla_kernel_flops
from dsv3calc.studies.measurements.cases import (
    TRACED,
    Case,
    NotExpressed,
    cache_format,
    column,
    compute_part,
    format_of,
    number,
    positive,
    repeated,
    times,
)

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.measurement import Row

MLA_SCORE, MLA_VALUE = 192, 128
"""Channels of a key and of a value of DeepSeek-V3's expanded heads, where a row leaves them out."""
LATENT, ROPE = 512, 64
"""Channels of its latent and of its rotary key: those of a row of absorbed MLA."""
BACKWARD = 2.5
"""Products of the backward pass over those of the forward pass: five matrices, not two."""
TERA = 1e12
BF16_BITS = 16


def attention(row: Row, device: Hardware) -> list[Case]:
    """Express a row of attention."""
    rates = [name for name in row.series if name.endswith("tflops")]
    if rates:
        return [case for name in rates for case in _rate(row, device, name)]
    if "kv_len" in row.series:
        return [_decoding(row, device)]
    if "len" in row.series or "len" in row.seq:
        return [_prefill(row, device)]
    raise NotExpressed("no length")


def _decoding(row: Row, device: Hardware) -> Case:
    lengths = column(row, "kv_len")
    batch = number(row, "batch.batch")
    heads = number(row, "value.heads")
    cache = cache_format(row)
    bytes_each = cache.weight_bits / 8
    latent = "MLA" in row.what
    if latent:
        phase = "mla_decode"
        wide = LATENT + ROPE
        flops = [batch * mla_kernel_flops(heads, 1, each, wide, LATENT) for each in lengths]  # type: ignore[arg-type]
        moved = [batch * each * wide * bytes_each for each in lengths]
    else:
        phase = "decode"
        head_dim, shared = number(row, "value.head_dim"), number(row, "value.kv_heads")
        flops = [4 * batch * heads * each * head_dim for each in lengths]
        moved = [2 * batch * each * shared * head_dim * bytes_each for each in lengths]
    wide_cache = cache.weight_bits > BF16_BITS
    # with an FP8 cache Blackwell's MLA computes in FP8: it exceeds the BF16 peak
    narrow = latent and cache.key == "fp8" and "fp4" in device.peaks
    points = [
        {"flops": f, "moved": m, "serial_steps": each, "pass_bytes": 0}
        for f, m, each in zip(flops, moved, lengths, strict=True)
    ]
    return Case(
        row=row, device=device, kind=phase, form="kernel", entry=("attention", phase, cache.key),
        computes_in=cache.computes_in if narrow or wide_cache else "bf16", points=points,
        seconds=repeated(times(row, "latency"), len(points)),
        sizes={"context": lengths, "batch": [batch]},
    )  # fmt: skip


def _prefill(row: Row, device: Hardware) -> Case:
    backward = "backward" in row.what
    seconds = times(row, "latency", "duration")
    given = row.series.get("len", row.seq.get("len"))
    lengths = positive("len", given if isinstance(given, list) else [given])
    lengths = repeated(lengths, len(seconds))
    batch = number(row, "batch.batch", "batch.mbs")
    heads = number(row, "value.heads")
    latent = "MLA" in row.what or "qk_dim" in row.value
    shared = heads
    score = value = number(row, "value.head_dim") if "head_dim" in row.value else 0
    if latent:
        score = number(row, "value.qk_dim") if "qk_dim" in row.value else MLA_SCORE
        value = number(row, "value.v_dim") if "v_dim" in row.value else MLA_VALUE
    elif not score:
        raise NotExpressed("no head_dim")
    else:
        shared = number(row, "value.kv_heads")
    phase = ("mla_" if latent else "") + ("backward" if backward else "prefill")
    operands, cache = format_of(row.prec), cache_format(row)
    key = cache if latent else operands
    # operands in BF16 beside the cache: queries, keys, values and outputs; the cache is written
    width = max(BF16_BITS, operands.activation_bits) / 8
    token = width * (heads * (score + value) + shared * (score + value))
    token += 0 if latent else shared * (score + value) * cache.weight_bits / 8
    traced = compute_part(row)
    passes = BACKWARD if backward else 1
    points = [
        {
            "flops": passes * batch * heads * each**2 * (score + value) / traced,
            "moved": batch * each * token,
            "sequence": each,
        }
        for each in lengths
    ]  # fmt: skip
    return Case(
        row=row, device=device, kind=phase if traced == 1 else TRACED, form="prefill",
        entry=("attention", phase, key.key), library="fa3" if traced < 1 else "",
        computes_in="bf16" if latent else operands.computes_in, points=points, seconds=seconds,
        sizes={"length": lengths, "batch": [batch]},
    )  # fmt: skip


def _rate(row: Row, device: Hardware, name: str) -> list[Case]:
    """Express FLOP/s by length: of a library, forward or backward, causal or not."""
    lengths = column(row, "len")
    rates = column(row, name)
    library = re.split(r"_(?:full|causal|fwd|bwd)?_?tflops", name)[0]
    library = "" if library in ("fwd_tflops", "bwd_tflops") else library
    latent = "MLA" in row.what
    phase = ("mla_" if latent else "") + (
        "backward" if "bwd" in name or "backward" in row.what else "prefill"
    )
    if latent:
        library = "cudnn" if "cuDNN" in row.what else library
    # the rate is that of any amount of work: of so much that launching does not count
    flops = [TERA * each for each in lengths]
    form = format_of(row.prec)
    points = [
        {"flops": f, "moved": 0, "sequence": each} for f, each in zip(flops, lengths, strict=True)
    ]
    seconds = [f / (TERA * rate) for f, rate in zip(flops, rates, strict=True)]
    return [
        Case(
            row=row, device=device, kind=f"{phase}_rate", form="prefill",
            entry=("attention", phase, form.key), library=library,
            computes_in=form.computes_in, points=points, seconds=seconds,
            sizes={"length": lengths},
        )
    ]  # fmt: skip
