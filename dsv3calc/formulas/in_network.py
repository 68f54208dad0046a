"""What switches, planes, coders and CPUs do for the exchange of experts."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import Count, Expected, FlopsPerSecond, FractionalBytes, Ratio
from dsv3calc.numbers.ops import maximum, ratio


@formula(
    r"s_\mathrm{net}",
    "link_copies >= 1",
    "dispatch_bytes > 0",
    result=SHARE,
)
def in_network_share(
    link_copies: Expected, dispatch_bytes: FractionalBytes, combine_bytes: FractionalBytes
) -> Ratio:
    r"""Give the share of a NIC's time left when switches multicast dispatch and reduce combine.

    .. math::

        s_\mathrm{net} = \frac{\max(b_\mathrm{disp} + M_\mathrm{copy} b_\mathrm{comb},
            M_\mathrm{copy} b_\mathrm{disp} + b_\mathrm{comb})}{M_\mathrm{copy} (b_\mathrm{disp} +
            b_\mathrm{comb})}

    Parameters
    ----------
    link_copies
        Copies of a token that cross the link, at least 1.
    dispatch_bytes, combine_bytes
        Bytes of a copy that is dispatched, and of one that is combined.

    Returns
    -------
    Share of the time that is left, where dispatch and combine use both directions at once.

    Notes
    -----
    A GPU sends a dispatched token once and receives all copies that come to it; in combine it sends
    every copy and receives one sum. Multicast alone leaves what is received as it is, and reduction
    alone what is sent: neither gains by itself.

    Examples
    --------
    DeepSeek-V3 with 3.46 copies, FP8 with scales and BF16:

    >>> round(in_network_share(3.46, 7392, 14336), 3)
    0.758

    Source
    ------
    Derived here; arXiv:2505.09343 section 6.5 proposes both.
    """
    sent = dispatch_bytes + link_copies * combine_bytes
    received = link_copies * dispatch_bytes + combine_bytes
    return ratio(maximum(sent, received), link_copies * (dispatch_bytes + combine_bytes))


@formula(r"M_\mathrm{plane}")
def plane_changes(link_copies: Expected, planes: Count) -> Expected:
    r"""Count the copies that change planes inside a node.

    .. math:: M_\mathrm{plane} = \frac{M_\mathrm{copy} (n_\mathrm{plane} - 1)}{n_\mathrm{plane}}

    Parameters
    ----------
    link_copies
        Copies of a token that cross the scale-out link.
    planes
        Planes of the network; each NIC is in one of them.

    Returns
    -------
    Copies of a token that a node forwards to a NIC of another plane.

    Notes
    -----
    Destinations are spread evenly over the planes, and kernels send straight to each GPU.

    Examples
    --------
    6.55 copies on eight planes:

    >>> round(plane_changes(6.55, 8), 2)
    5.73

    Source
    ------
    Derived here; the multi-plane network of arXiv:2505.09343 section 5.1.1.
    """
    return ratio(link_copies * (planes - 1), planes)


@formula(r"f_\mathrm{codec}")
def codec_factor(transfer_ratio: Ratio, codec_overhead: Ratio) -> Ratio:
    r"""Give the time of a transfer that is encoded and decoded, over that of one that is not.

    .. math:: f_\mathrm{codec} = s_\mathrm{code} (1 + o_\mathrm{code})

    Parameters
    ----------
    transfer_ratio
        Bytes of the coded format over those of the plain one.
    codec_overhead
        Time of encoding and decoding over that of the coded transfer.

    Returns
    -------
    Factor on the time; below 1 the coded transfer is faster.

    Notes
    -----
    The time of encoding and decoding is not hidden: arXiv:2505.09343 fuses it with the exchange and
    sees 50 to 100 %.

    Examples
    --------
    8 bits for 16, with an overhead of 50 and of 100 %:

    >>> codec_factor(0.5, 0.5), codec_factor(0.5, 1.0)
    (0.75, 1.0)

    Source
    ------
    Derived here; arXiv:2505.09343 section 3.2.1.
    """
    return transfer_ratio * (1 + codec_overhead)


@formula(r"s_\mathrm{promote}", "vector_peak > 0", "promotion_group >= 1")
def promotion_share(
    peak: FlopsPerSecond, vector_peak: FlopsPerSecond, promotion_group: Count
) -> Ratio:
    r"""Give the time of adding partial sums in FP32 over that of the products that make them.

    .. math:: s_\mathrm{promote} = \frac{\pi}{g_\mathrm{K} \pi_\mathrm{vec}}

    Parameters
    ----------
    peak
        FLOP/s of the matrix units in the narrow format.
    vector_peak
        FLOP/s of the vector units in FP32.
    promotion_group
        Elements along the inner dimension after which a partial sum is scaled and added.

    Returns
    -------
    Time of the vector units over that of the matrix units, for the same product.

    Notes
    -----
    A fused multiply and add of the vector units (2 FLOP) for each 2 FLOP times the group. Where the
    two overlap, only a ratio above 1 shows.

    Examples
    --------
    H800 at 128; groups of 32, as MX formats have them, need scaling in the matrix units:

    >>> round(promotion_share(1978.9e12, 66.9e12, 128), 2)
    0.23
    >>> round(promotion_share(1978.9e12, 66.9e12, 32), 2)
    0.92

    Source
    ------
    Derived here; arXiv:2505.09343 section 3.1.1.
    """
    return ratio(peak, promotion_group * vector_peak)
