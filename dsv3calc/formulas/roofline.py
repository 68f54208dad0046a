"""The two bounds of the roofline: time to compute, time to move bytes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import (
    Bytes,
    BytesPerSecond,
    Flops,
    FlopsPerSecond,
    Intensity,
    Ratio,
    Seconds,
    Tokens,
)
from dsv3calc.numbers.ops import ratio


@formula(r"t_\mathrm{compute}")
def compute_time(flops: Flops, peak: FlopsPerSecond) -> Seconds:
    r"""Bound the time of a computation by the dense peak of its data type.

    .. math:: t_\mathrm{compute} = \frac{F}{\pi}

    Parameters
    ----------
    flops
        Floating-point operations, a multiply-add counted as two.
    peak
        Dense peak of one device.

    Returns
    -------
    Device-seconds: no computation takes less.

    Notes
    -----
    No efficiency is applied: this is a bound, not a forecast.

    Examples
    --------
    >>> compute_time(1978.8e12, 989.4e12)
    2.0

    Source
    ------
    Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009.
    """
    return ratio(flops, peak)


@formula(r"t_\mathrm{memory}")
def memory_time(moved: Bytes, bandwidth: BytesPerSecond) -> Seconds:
    r"""Bound the time of a computation by the bytes that it must move.

    .. math:: t_\mathrm{memory} = \frac{Q}{\beta}

    Parameters
    ----------
    moved
        Bytes read from and written to device memory.
    bandwidth
        Nominal memory bandwidth of one device.

    Returns
    -------
    Device-seconds: no computation takes less.

    Notes
    -----
    Every byte is counted once; activations are taken to stay on chip.

    Examples
    --------
    >>> memory_time(6700000000000, 3350000000000)
    2

    Source
    ------
    Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009.
    """
    return ratio(moved, bandwidth)


@formula(r"I", "moved > 0")
def arithmetic_intensity(flops: Flops, moved: Bytes) -> Intensity:
    r"""Give the floating-point operations done for each byte moved.

    .. math:: I = \frac{F}{Q}

    Parameters
    ----------
    flops
        Floating-point operations.
    moved
        Bytes read from and written to device memory.

    Returns
    -------
    FLOP per byte.

    Notes
    -----
    Above the ridge computation is the limit, below it memory.

    Examples
    --------
    Absorbed MLA with 128 heads does 241.8 FLOP for each byte of its BF16 latent:

    >>> round(arithmetic_intensity(2 * 128 * (576 + 512), 2 * 576), 1)
    241.8

    Source
    ------
    Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009.
    """
    return ratio(flops, moved)


@formula(r"I_\mathrm{ridge}")
def ridge_intensity(flops: Flops, compute_seconds: Seconds, bandwidth: BytesPerSecond) -> Intensity:
    r"""Give the intensity at which compute and memory take equally long.

    .. math:: I_\mathrm{ridge} = \frac{F / t_c}{\beta}

    Parameters
    ----------
    flops
        Floating-point operations, of all data types together.
    compute_seconds
        Time that they take at the peaks of their data types.
    bandwidth
        Nominal memory bandwidth of one device.

    Returns
    -------
    FLOP per byte.

    Notes
    -----
    ``flops / compute_seconds`` is the peak of the mixture of data types.

    Examples
    --------
    BF16 on an H800:

    >>> round(ridge_intensity(989400000000000, 1, 3350000000000), 1)
    295.3

    Source
    ------
    Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009.
    """
    return ratio(ratio(flops, compute_seconds), bandwidth)


@formula(r"x")
def per_token(amount: Flops, tokens: Tokens) -> Ratio:
    r"""Divide an amount among the tokens of a pass.

    .. math:: x = \frac{X}{T}

    Parameters
    ----------
    amount
        FLOPs, bytes or seconds of the pass.
    tokens
        Tokens processed.

    Returns
    -------
    The amount for one token, an exact integer where it divides.

    Notes
    -----
    Tokens of a pass differ (later ones attend to more); this is their mean.

    Examples
    --------
    >>> per_token(1024, 256)
    4

    Source
    ------
    Definition.
    """
    return ratio(amount, tokens)
