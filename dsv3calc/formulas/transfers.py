"""A transfer over a link: bytes of a copy, its time, and the part that computation hides."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import (
    Bits,
    Bytes,
    BytesPerSecond,
    Count,
    Elements,
    Ratio,
    Seconds,
)
from dsv3calc.numbers.ops import ceil_div, maximum, minimum, ratio


@formula(r"B_\mathrm{copy}", "group_size >= 1")
def transfer_bytes(
    hidden_size: Elements, bits: Bits, group_size: Elements, scale_bits: Bits, metadata_bytes: Bytes
) -> Bytes:
    r"""Give the bytes of one copy of a token's hidden state on a link.

    .. math:: B_\mathrm{copy} = \lceil (h b + \lceil h / g \rceil b_s) / 8 \rceil + B_\mathrm{meta}

    Parameters
    ----------
    hidden_size
        Elements of the hidden state.
    bits
        Width of an element as sent.
    group_size, scale_bits
        Elements that share a scale, and the width of what is stored for them; 0 where there is
        none.
    metadata_bytes
        Bytes sent beside it, such as the token's place at its source.

    Returns
    -------
    Bytes, rounded up to whole ones.

    Notes
    -----
    A last, shorter group has a scale of its own.

    Examples
    --------
    DeepEP's low-latency dispatch of DeepSeek-V3: FP8, 56 FP32 scales and 16 bytes beside them.

    >>> transfer_bytes(7168, 8, 128, 32, 16)
    7408

    Source
    ------
    Derived here; the example is the test of deepseek-ai/DeepEP,
    ``tests/legacy/test_low_latency.py``.
    """
    return (
        ceil_div(hidden_size * bits + ceil_div(hidden_size, group_size) * scale_bits, 8)
        + metadata_bytes
    )


@formula(r"\rho_\mathrm{byte}", "group_size >= 1")
def element_share(
    bits: Bits, group_size: Elements, scale_bits: Bits, reference_bits: Bits
) -> Ratio:
    r"""Compare the bytes of an element with its scale to those of a plain format.

    .. math:: \rho_\mathrm{byte} = \frac{b g + b_s}{g b_\mathrm{ref}}

    Parameters
    ----------
    bits
        Width of an element as sent.
    group_size, scale_bits
        Elements that share a scale, and the width of what is stored for them.
    reference_bits
        Width of an element of the plain format.

    Returns
    -------
    Share of the plain format's bytes.

    Notes
    -----
    Exact where the groups divide the vector.

    Examples
    --------
    FP8 with an FP32 scale for 128 elements, against BF16:

    >>> element_share(8, 128, 32, 16)
    0.515625

    Source
    ------
    The factor of the bandwidth tests of deepseek-ai/DeepEP, (1 + 4/128) / 2.
    """
    return ratio(bits * group_size + scale_bits, group_size * reference_bits)


@formula(r"t_\mathrm{link}")
def transfer_time(
    moved: Bytes, link_bandwidth: BytesPerSecond, imbalance: Ratio, rounds: Count, latency: Seconds
) -> Seconds:
    r"""Give the time that a link takes for what one GPU sends over it.

    .. math::

        t_\mathrm{link} = \frac{Q f_\mathrm{hot}}{\beta_\mathrm{dir}} + n_\mathrm{lat}
            t_\mathrm{lat}

    Parameters
    ----------
    moved
        Bytes that a GPU sends, on average over the group.
    link_bandwidth
        Bandwidth of the link, per direction.
    imbalance
        Bytes of the busiest GPU over the mean.
    rounds, latency
        Number of latencies in sequence, and how long each is.

    Returns
    -------
    Seconds until the busiest GPU is done.

    Notes
    -----
    The link is taken to be used by this traffic alone, and to its full bandwidth.

    Examples
    --------
    32 tokens to 9 experts, 3 bytes for each of 7000 elements, at 50 GB/s:

    >>> transfer_time(6048000, 50000000000, 1, 2, 0)
    0.00012096

    Source
    ------
    arXiv:2505.09343 §2.3.2.
    """
    return ratio(moved * imbalance, link_bandwidth) + rounds * latency


@formula(r"\eta_\mathrm{hid}", "communication_seconds > 0", result=SHARE)
def hidden_share(communication_seconds: Seconds, overlapped_seconds: Seconds) -> Ratio:
    r"""Give the share of a communication that another micro-batch's computation hides.

    .. math:: \eta_\mathrm{hid} = \min(1, \frac{t_\mathrm{over}}{t_\mathrm{comm}})

    Parameters
    ----------
    communication_seconds
        Time of the communication by itself.
    overlapped_seconds
        Time of the computation that runs meanwhile.

    Returns
    -------
    Share from 0 to 1.

    Notes
    -----
    Two micro-batches alternate: while one communicates the other computes. Neither slows the
    other down.

    Examples
    --------
    >>> hidden_share(4, 1)
    0.25

    Source
    ------
    arXiv:2505.09343 §2.3.1.
    """
    return minimum(1, ratio(overlapped_seconds, communication_seconds))


@formula(r"t_\mathrm{exp}")
def exposed_time(communication_seconds: Seconds, overlapped_seconds: Seconds) -> Seconds:
    r"""Give the time of a communication that no computation hides.

    .. math:: t_\mathrm{exp} = \max(0, t_\mathrm{comm} - t_\mathrm{over})

    Parameters
    ----------
    communication_seconds
        Time of the communication by itself.
    overlapped_seconds
        Time of the computation that runs meanwhile.

    Returns
    -------
    Seconds, 0 where all of it is hidden.

    Notes
    -----
    Two micro-batches alternate: while one communicates the other computes. Neither slows the
    other down.

    Examples
    --------
    >>> exposed_time(4, 1)
    3

    Source
    ------
    arXiv:2505.09343 §2.3.1.
    """
    return maximum(0, communication_seconds - overlapped_seconds)
