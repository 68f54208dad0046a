"""FlashMLA: what its kernels compute and move, and the clock cycles that bound them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import (
    Bytes,
    BytesPerSecond,
    Count,
    Elements,
    Expected,
    Flops,
    FlopsPerSecond,
    Hertz,
    Intensity,
    Tokens,
)
from dsv3calc.numbers.ops import ratio


@formula(r"F_\mathrm{mla}")
def mla_kernel_flops(
    num_attention_heads: Count,
    sequence: Tokens,
    tokens: Tokens,
    score_channels: Elements,
    value_channels: Elements,
) -> Flops:
    r"""Count the FLOPs of absorbed MLA for one sequence.

    .. math:: F_\mathrm{mla} = 2 n_h S T (d_k + d_u)

    Parameters
    ----------
    num_attention_heads
        Query heads.
    sequence
        Queries of each head.
    tokens
        Cached tokens.
    score_channels
        Channels of a key: latent and rotary part.
    value_channels
        Channels of a value: the latent.

    Returns
    -------
    FLOPs.

    Notes
    -----
    Every query attends to every cached token.

    Examples
    --------
    DeepSeek-V3, a query of 128 heads for each cached token:

    >>> mla_kernel_flops(128, 1, 1, 576, 512)
    278528

    Source
    ------
    deepseek-ai/FlashMLA, deep dive on the dense kernel.
    """
    return 2 * num_attention_heads * sequence * tokens * (score_channels + value_channels)


@formula(r"Q_\mathrm{mla}")
def mla_kernel_bytes(tokens: Tokens, score_channels: Elements) -> Bytes:
    r"""Count the bytes of the BF16 cache that absorbed MLA reads for one sequence.

    .. math:: Q_\mathrm{mla} = 2 T d_k

    Parameters
    ----------
    tokens
        Cached tokens.
    score_channels
        Channels of a key: latent and rotary part.

    Returns
    -------
    Bytes.

    Notes
    -----
    Values are a part of the keys. Queries and outputs are left out.

    Examples
    --------
    >>> mla_kernel_bytes(1, 576)
    1152

    Source
    ------
    deepseek-ai/FlashMLA, deep dive on the dense kernel.
    """
    return 2 * tokens * score_channels


@formula(r"I_\mathrm{mla}")
def mla_kernel_intensity(
    num_attention_heads: Count, sequence: Tokens, score_channels: Elements, value_channels: Elements
) -> Intensity:
    r"""Give the FLOPs of absorbed MLA for each byte of its BF16 cache.

    .. math:: I_\mathrm{mla} = \frac{n_h S (d_k + d_u)}{d_k}

    Parameters
    ----------
    num_attention_heads
        Query heads.
    sequence
        Queries of each head.
    score_channels
        Channels of a key: latent and rotary part.
    value_channels
        Channels of a value: the latent.

    Returns
    -------
    FLOP per byte.

    Notes
    -----
    ``mla_kernel_flops`` over ``mla_kernel_bytes``; about twice the heads, since keys and values are
    nearly as wide.

    Examples
    --------
    >>> round(mla_kernel_intensity(128, 1, 576, 512), 1)
    241.8

    Source
    ------
    deepseek-ai/FlashMLA, deep dive on the dense kernel; derived here.
    """
    return ratio(num_attention_heads * sequence * (score_channels + value_channels), score_channels)


@formula(r"n_\mathrm{bound}")
def compute_bound_queries(peak: FlopsPerSecond, bandwidth: BytesPerSecond) -> Expected:
    r"""Give the queries for each cached token above which MLA is bound by computation.

    .. math:: n_\mathrm{bound} = \frac{\pi}{2 \beta}

    Parameters
    ----------
    peak
        Dense peak of one device.
    bandwidth
        Memory bandwidth of one device.

    Returns
    -------
    Heads times queries of each.

    Notes
    -----
    With an intensity of twice the queries, which is 6 % above the exact one.

    Examples
    --------
    H800 SXM5 at 1,600 MHz:

    >>> round(compute_bound_queries(865 * 10**12, 3350 * 10**9), 1)
    129.1

    Source
    ------
    deepseek-ai/FlashMLA, deep dive on the dense kernel.
    """
    return ratio(peak, 2 * bandwidth)


@formula(r"\pi_\mathrm{clk}")
def clock_flops(peak: FlopsPerSecond, clock: Hertz, multiprocessors: Count) -> Expected:
    r"""Give the FLOPs of a multiprocessor in one clock cycle.

    .. math:: \pi_\mathrm{clk} = \frac{\pi}{\nu n_\mathrm{mp}}

    Parameters
    ----------
    peak
        Dense peak of one device.
    clock
        Clock that the peak is stated for.
    multiprocessors
        Multiprocessors of the device.

    Returns
    -------
    FLOPs for each cycle.

    Notes
    -----
    Dense.

    Examples
    --------
    BF16 on an H800, where the hardware does 4,096:

    >>> round(clock_flops(989 * 10**12, 1830 * 10**6, 132), 1)
    4094.2

    Source
    ------
    deepseek-ai/FlashMLA, deep dive on the FP8 kernel.
    """
    return ratio(peak, clock * multiprocessors)


@formula(r"\pi_\mathrm{slow}")
def throttled_peak(peak: FlopsPerSecond, clock: Hertz, throttled_clock: Hertz) -> FlopsPerSecond:
    r"""Scale a peak to the clock under load.

    .. math:: \pi_\mathrm{slow} = \frac{\pi \nu_\mathrm{slow}}{\nu}

    Parameters
    ----------
    peak
        Dense peak of one device.
    clock
        Clock that the peak is stated for.
    throttled_clock
        Clock under load.

    Returns
    -------
    FLOP/s.

    Notes
    -----
    Proportional to the clock.

    Examples
    --------
    990 TFLOP/s at 1,830 MHz, throttled to 1,600:

    >>> round(throttled_peak(990 * 10**12, 1830 * 10**6, 1600 * 10**6) / 1e12, 1)
    865.6

    Source
    ------
    deepseek-ai/FlashMLA, deep dive on the dense kernel.
    """
    return ratio(peak * throttled_clock, clock)


@formula(r"n_\mathrm{mma}")
def mma_cycles(
    num_attention_heads: Count,
    score_channels: Elements,
    value_channels: Elements,
    cycle_flops: Expected,
) -> Expected:
    r"""Give the cycles that the products of absorbed MLA take for one cached token.

    .. math:: n_\mathrm{mma} = \frac{2 n_h (d_k + d_u)}{\pi_\mathrm{cycle}}

    Parameters
    ----------
    num_attention_heads
        Query heads on one multiprocessor.
    score_channels
        Channels of a key: latent and rotary part.
    value_channels
        Channels of a value: the latent.
    cycle_flops
        FLOPs of a multiprocessor in one cycle.

    Returns
    -------
    Cycles.

    Notes
    -----
    At the peak.

    Examples
    --------
    64 heads:

    >>> mma_cycles(64, 576, 512, 4096)
    34

    Source
    ------
    deepseek-ai/FlashMLA, deep dive on the FP8 kernel.
    """
    return ratio(2 * num_attention_heads * (score_channels + value_channels), cycle_flops)


@formula(r"n_\mathrm{deq}")
def dequantisation_cycles(
    elements: Elements,
    to_half_rate: Count,
    to_float_rate: Count,
    scale_rate: Count,
    to_bf16_rate: Count,
) -> Expected:
    r"""Give the cycles that a multiprocessor takes to turn scaled FP8 into BF16.

    .. math::

        n_\mathrm{deq} = \frac{N (r_\mathrm{32} r_\mathrm{mul} r_\mathrm{bf} + r_\mathrm{16}
            r_\mathrm{mul} r_\mathrm{bf} + r_\mathrm{16} r_\mathrm{32} r_\mathrm{bf} + r_\mathrm{16}
            r_\mathrm{32} r_\mathrm{mul})}{r_\mathrm{16} r_\mathrm{32} r_\mathrm{mul} r_\mathrm{bf}}

    Parameters
    ----------
    elements
        Elements to turn from FP8 into BF16.
    to_half_rate
        FP8 to FP16 conversions of a cycle.
    to_float_rate
        FP16 to FP32 conversions of a cycle.
    scale_rate
        FP32 multiplications of a cycle.
    to_bf16_rate
        FP32 to BF16 conversions of a cycle.

    Returns
    -------
    Cycles.

    Notes
    -----
    One step after the other, each at its own rate.

    Examples
    --------
    The latent of one token, 512 elements, on Hopper:

    >>> dequantisation_cycles(512, 64, 64, 256, 16)
    50

    Source
    ------
    deepseek-ai/FlashMLA, deep dive on the FP8 kernel.
    """
    return ratio(
        elements
        * (
            to_float_rate * scale_rate * to_bf16_rate
            + to_half_rate * scale_rate * to_bf16_rate
            + to_half_rate * to_float_rate * to_bf16_rate
            + to_half_rate * to_float_rate * scale_rate
        ),
        to_half_rate * to_float_rate * scale_rate * to_bf16_rate,
    )
