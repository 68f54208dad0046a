"""What kernels compute and move: matrix products, and DeepEP's low-latency exchange."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import (
    Bytes,
    BytesPerSecond,
    Count,
    Elements,
    Flops,
    FlopsPerSecond,
    Seconds,
    Tokens,
)
from dsv3calc.numbers.ops import ratio


@formula(r"F_\mathrm{gemm}")
def gemm_flops(
    gemm_groups: Count, gemm_rows: Elements, gemm_columns: Elements, gemm_depth: Elements
) -> Flops:
    r"""Count the FLOPs of equal matrix products.

    .. math:: F_\mathrm{gemm} = 2 g_\mathrm{gemm} m_\mathrm{gemm} n_\mathrm{gemm} k_\mathrm{gemm}

    Parameters
    ----------
    gemm_groups
        Products side by side, 1 for a dense one.
    gemm_rows
        Rows of the activations of one product (M).
    gemm_columns
        Columns of the result (N).
    gemm_depth
        Length of what is summed over (K).

    Returns
    -------
    FLOPs.

    Notes
    -----
    A multiply-add is two.

    Examples
    --------
    >>> gemm_flops(1, 64, 2112, 7168)
    1937768448

    Source
    ------
    Definition.
    """
    return 2 * gemm_groups * gemm_rows * gemm_columns * gemm_depth


@formula(r"Q_\mathrm{gemm}")
def fp8_gemm_bytes(
    gemm_groups: Count, gemm_rows: Elements, gemm_columns: Elements, gemm_depth: Elements
) -> Bytes:
    r"""Count the bytes of equal matrix products from FP8 to BF16.

    .. math::

        Q_\mathrm{gemm} = g_\mathrm{gemm} (m_\mathrm{gemm} k_\mathrm{gemm} + n_\mathrm{gemm}
            k_\mathrm{gemm} + 2 m_\mathrm{gemm} n_\mathrm{gemm})

    Parameters
    ----------
    gemm_groups
        Products side by side, 1 for a dense one.
    gemm_rows
        Rows of the activations of one product (M).
    gemm_columns
        Columns of the result (N).
    gemm_depth
        Length of what is summed over (K).

    Returns
    -------
    Bytes, each read or written once.

    Notes
    -----
    One byte for each element of activations and weights, two for one of the result; no scales.

    Examples
    --------
    >>> fp8_gemm_bytes(1, 64, 2112, 7168)
    15867904

    Source
    ------
    deepseek-ai/DeepGEMM, tests/test_core.py.
    """
    return gemm_groups * (
        gemm_rows * gemm_depth + gemm_columns * gemm_depth + 2 * gemm_rows * gemm_columns
    )


@formula(r"\beta_\mathrm{gemm}")
def fp8_gemm_bandwidth(
    gemm_rows: Elements, gemm_columns: Elements, gemm_depth: Elements, achieved_rate: FlopsPerSecond
) -> BytesPerSecond:
    r"""Give the bandwidth that an FP8 matrix product uses at an achieved rate.

    .. math::

        \beta_\mathrm{gemm} = \frac{\pi_\mathrm{got} (m_\mathrm{gemm} k_\mathrm{gemm} +
            n_\mathrm{gemm} k_\mathrm{gemm} + 2 m_\mathrm{gemm} n_\mathrm{gemm})}{2 m_\mathrm{gemm}
            n_\mathrm{gemm} k_\mathrm{gemm}}

    Parameters
    ----------
    gemm_rows
        Rows of the activations of one product (M).
    gemm_columns
        Columns of the result (N).
    gemm_depth
        Length of what is summed over (K).
    achieved_rate
        FLOP/s that the kernel achieves.

    Returns
    -------
    Bytes per second.

    Notes
    -----
    ``fp8_gemm_bytes`` over the time of ``gemm_flops``. Groups of equal products move and compute as
    many times as much: their number cancels.

    Examples
    --------
    206 TFLOP/s in the first row of DeepGEMM's table, which prints 1688 GB/s:

    >>> round(fp8_gemm_bandwidth(64, 2112, 7168, 206 * 10**12) / 1e9)
    1687

    Source
    ------
    deepseek-ai/DeepGEMM, README.md and tests/test_core.py.
    """
    return ratio(
        achieved_rate
        * (gemm_rows * gemm_depth + gemm_columns * gemm_depth + 2 * gemm_rows * gemm_columns),
        2 * gemm_rows * gemm_columns * gemm_depth,
    )


@formula(r"\beta_\mathrm{LL}", "masked_copies <= tokens * experts_per_token")
def low_latency_bandwidth(
    tokens: Tokens,
    experts_per_token: Count,
    masked_copies: Count,
    copy_bytes: Bytes,
    seconds: Seconds,
) -> BytesPerSecond:
    r"""Give the bandwidth of a low-latency dispatch or combine from its time.

    .. math::

        \beta_\mathrm{LL} = \frac{(T k_\mathrm{sent} - n_\mathrm{mask})
            B_\mathrm{row}}{t_\mathrm{all}}

    Parameters
    ----------
    tokens
        Tokens that a GPU sends.
    experts_per_token
        Copies of each.
    masked_copies
        Copies that are left out.
    copy_bytes
        Bytes of a copy.
    seconds
        Time that the exchange takes.

    Returns
    -------
    Bytes per second.

    Notes
    -----
    A copy for each expert, those for the own node included.

    Examples
    --------
    128 tokens to eight experts, ten copies masked, 77 us; the table prints 98 GB/s:

    >>> round(low_latency_bandwidth(128, 8, 10, 7408, 77e-6) / 1e9, 1)
    97.6

    Source
    ------
    deepseek-ai/DeepEP, tests/legacy/test_low_latency.py.
    """
    return ratio((tokens * experts_per_token - masked_copies) * copy_bytes, seconds)
