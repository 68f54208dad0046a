"""Times of kernels: shares of the device's peaks that they reach, serial steps, and fixed times.

Times of all kernels follow from the same few numbers of a device: the share of its peak, the share
of its memory bandwidth, the fixed time. Presets give them, fitted to measurements.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import (
    Bits,
    Bytes,
    BytesPerSecond,
    Count,
    Elements,
    Flops,
    FlopsPerSecond,
    Ratio,
    Seconds,
    Tokens,
)
from dsv3calc.numbers.ops import ratio


@formula(r"t_\mathrm{pass}")
def pass_time(moved: Bytes, bandwidth: BytesPerSecond, bandwidth_share: Ratio) -> Seconds:
    r"""Give the time of a pass over memory at the share of the bandwidth that kernels reach.

    .. math:: t_\mathrm{pass} = \frac{Q}{\beta e_m}

    Parameters
    ----------
    moved
        Bytes read from and written to device memory.
    bandwidth
        Nominal memory bandwidth of one device.
    bandwidth_share
        Share of it that such a kernel reaches.

    Returns
    -------
    Seconds.

    Notes
    -----
    For norms, casts, permutations, the optimizer: kernels with few operations per byte. The launch
    time is not included.

    Examples
    --------
    Adam reads and writes 30 bytes for each of a billion parameters, on an H100:

    >>> round(pass_time(30 * 10**9, 3350 * 10**9, 0.83), 6)
    0.010789

    Source
    ------
    Definition of the share.
    """
    return ratio(moved, bandwidth * bandwidth_share)


@formula(r"t_\mathrm{kernel}", "exponent <= 8")
def kernel_time(
    flops: Flops,
    peak: FlopsPerSecond,
    compute_share: Ratio,
    moved: Bytes,
    bandwidth: BytesPerSecond,
    bandwidth_share: Ratio,
    serial_steps: Count,
    serial_latency: Seconds,
    exponent: Ratio,
    launch: Seconds,
) -> Seconds:
    r"""Give the time of a kernel from its computation, its memory traffic and its serial steps.

    .. math::

        t_\mathrm{kernel} = \left( \left( \frac{F}{\pi e_c} \right)^{p_\mathrm{join}} + \left(
            \frac{Q}{\beta e_m} \right)^{p_\mathrm{join}} + (n_\mathrm{serial}
            \tau_\mathrm{serial})^{p_\mathrm{join}} \right)^{\frac{1}{p_\mathrm{join}}} + t_0

    Parameters
    ----------
    flops, peak
        Floating-point operations, and the dense peak of their data type.
    compute_share
        Share of the peak that large kernels reach.
    moved, bandwidth
        Bytes read and written, and the memory bandwidth.
    bandwidth_share
        Share of the bandwidth that kernels with much traffic reach.
    serial_steps
        Steps that each result needs in sequence: the depth of a matrix product, the cached tokens
        of a decoding attention.
    serial_latency
        Time of such a step.
    exponent
        Exponent of the norm that combines the three times: 1 is their sum, infinity their maximum.
    launch
        Fixed time: launching the kernel, filling and draining the device.

    Returns
    -------
    Seconds.

    Notes
    -----
    For matrix products, grouped products of experts, and decoding attention. Small kernels are
    bound by ``launch`` and the serial steps, large ones by computation or memory bandwidth. Tiles
    and waves are left out: they do not lower the error on measurements that were not fitted.

    Examples
    --------
    4,096 tokens and DeepSeek-V3's output projection in BF16, on an H100; 0.97 ms by the peak alone,
    measured 1.16 ms:

    >>> round(
    ...     1000
    ...     * kernel_time(
    ...         flops=2 * 4096 * 7168 * 16384,
    ...         peak=989.4e12,
    ...         compute_share=0.8,
    ...         moved=product_bytes(1, 4096, 7168, 16384, 16, 16, 16),
    ...         bandwidth=3.35e12,
    ...         bandwidth_share=0.86,
    ...         serial_steps=16384,
    ...         serial_latency=1e-9,
    ...         exponent=3,
    ...         launch=3e-6,
    ...     ),
    ...     2,
    ... )
    1.22

    Source
    ------
    Derived here; docs/decisions says which forms were compared.
    """
    compute_part = ratio(flops, peak * compute_share)
    memory_part = ratio(moved, bandwidth * bandwidth_share)
    serial_part = serial_steps * serial_latency
    return (compute_part**exponent + memory_part**exponent + serial_part**exponent) ** ratio(
        1, exponent
    ) + launch


@formula(r"t_\mathrm{prefill}", "sequence >= 1")
def prefill_attention_time(
    flops: Flops,
    peak: FlopsPerSecond,
    compute_share: Ratio,
    half_length: Tokens,
    sequence: Tokens,
    moved: Bytes,
    bandwidth: BytesPerSecond,
    bandwidth_share: Ratio,
    launch: Seconds,
) -> Seconds:
    r"""Give the time of attention over new tokens, whose rate grows with the sequence.

    .. math::

        t_\mathrm{prefill} = \frac{F}{\pi e_c} \left( 1 + \frac{L_\mathrm{half}}{S} \right) +
            \frac{Q}{\beta e_m} + t_0

    Parameters
    ----------
    flops, peak
        Floating-point operations of the pairs that are computed (half of them where attention is
        causal), and the dense peak of their data type.
    compute_share
        Share of the peak that very long sequences reach.
    half_length
        Length at which half of that share is reached.
    sequence
        Tokens of each sequence.
    moved, bandwidth
        Bytes of queries, keys, values and outputs, with the write to the cache, and the bandwidth.
    bandwidth_share
        Share of the bandwidth that the passes before and after reach.
    launch
        Fixed time.

    Returns
    -------
    Seconds.

    Notes
    -----
    The rotary embedding and the write to the cache are passes of their own: their time is added.
    The backward pass has the same form with its own values.

    Examples
    --------
    Llama-3.1-8B's 32 heads over 8,192 tokens, causal, on an H100; measured: 1.08 ms.

    >>> round(
    ...     1000
    ...     * prefill_attention_time(
    ...         flops=4 * 32 * 128 * 8192**2 // 2,
    ...         peak=989.4e12,
    ...         compute_share=0.57,
    ...         half_length=800,
    ...         sequence=8192,
    ...         moved=8192 * 128 * (2 * 32 + 4 * 8) * 2,
    ...         bandwidth=3.35e12,
    ...         bandwidth_share=0.8,
    ...         launch=12e-6,
    ...     ),
    ...     2,
    ... )
    1.16

    Source
    ------
    Derived here; docs/decisions says which forms were compared.
    """
    return (
        ratio(flops, peak * compute_share) * (1 + ratio(half_length, sequence))
        + ratio(moved, bandwidth * bandwidth_share)
        + launch
    )


@formula(r"Q_\mathrm{product}")
def product_bytes(
    gemm_groups: Count,
    gemm_rows: Elements,
    gemm_columns: Elements,
    gemm_depth: Elements,
    activation_bits: Bits,
    weight_bits: Bits,
    result_bits: Bits,
) -> Bytes:
    r"""Count the bytes that equal matrix products read and write.

    .. math::

        Q_\mathrm{product} = \frac{g_\mathrm{gemm} (m_\mathrm{gemm} k_\mathrm{gemm} b_\mathrm{act} +
            n_\mathrm{gemm} k_\mathrm{gemm} b_\mathrm{w} + m_\mathrm{gemm} n_\mathrm{gemm}
            b_\mathrm{out})}{8}

    Parameters
    ----------
    gemm_groups
        Products side by side, 1 for a dense one.
    gemm_rows, gemm_columns, gemm_depth
        M, N and K of each.
    activation_bits, weight_bits, result_bits
        Widths of the elements of the two factors and of the result.

    Returns
    -------
    Bytes, each read or written once.

    Notes
    -----
    Scales of blocks are left out.

    Examples
    --------
    >>> product_bytes(1, 64, 2112, 7168, 8, 8, 16)
    15867904

    Source
    ------
    Definition.
    """
    return ratio(
        gemm_groups
        * (
            gemm_rows * gemm_depth * activation_bits
            + gemm_columns * gemm_depth * weight_bits
            + gemm_rows * gemm_columns * result_bits
        ),
        8,
    )


@formula(r"Q_\mathrm{cast}")
def cast_bytes(gemm_rows: Elements, gemm_depth: Elements, activation_bits: Bits) -> Bytes:
    r"""Count the bytes of turning BF16 activations into a narrower format before a product.

    .. math:: Q_\mathrm{cast} = \frac{m_\mathrm{gemm} k_\mathrm{gemm} (16 + b_\mathrm{act})}{8}

    Parameters
    ----------
    gemm_rows, gemm_depth
        Rows of the activations, and elements of each.
    activation_bits
        Width of an element afterwards.

    Returns
    -------
    Bytes read and written.

    Notes
    -----
    Scales are left out.

    Examples
    --------
    A token of DeepSeek-V3, two bytes read and one written for each element:

    >>> cast_bytes(1, 7168, 8)
    21504

    Source
    ------
    Definition.
    """
    return ratio(gemm_rows * gemm_depth * (16 + activation_bits), 8)


@formula(r"Q_\mathrm{adam}")
def adam_bytes(
    elements: Elements,
    bits: Bits,
    gradient_bits: Bits,
    master_bits: Bits,
    first_moment_bits: Bits,
    second_moment_bits: Bits,
) -> Bytes:
    r"""Count the bytes that a step of Adam reads and writes.

    .. math::

        Q_\mathrm{adam} = \frac{N (b_\mathrm{grad} + b + 2 (b_\mathrm{master} + b_m + b_v))}{8}

    Parameters
    ----------
    elements
        Parameters that the GPU updates.
    bits
        Width of a weight as the model computes with it.
    gradient_bits, master_bits, first_moment_bits, second_moment_bits
        Widths of a gradient, of a master weight (0: none), and of the moments.

    Returns
    -------
    Bytes: gradients read, master weights and moments read and written, weights written.

    Notes
    -----
    One fused pass.

    Examples
    --------
    BF16 weights with FP32 gradients, master weights and moments: 30 bytes for each parameter.

    >>> adam_bytes(1, 16, 32, 32, 32, 32)
    30

    Source
    ------
    Derived here.
    """
    return ratio(
        elements
        * (gradient_bits + bits + 2 * (master_bits + first_moment_bits + second_moment_bits)),
        8,
    )
