"""How long collectives and the exchange of tokens between experts take."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import (
    Bytes,
    BytesPerSecond,
    Count,
    Ratio,
    Seconds,
)
from dsv3calc.numbers.ops import maximum, minimum, ratio


@formula(r"t_\mathrm{coll}", "ranks >= 2", "exponent <= 8")
def collective_time(
    moved: Bytes,
    link_bandwidth: BytesPerSecond,
    link_share: Ratio,
    ranks: Count,
    latency: Seconds,
    latency_growth: Ratio,
    exponent: Ratio,
) -> Seconds:
    r"""Give the time of a collective in one domain from its latency and its bandwidth.

    .. math::

        t_\mathrm{coll} = \left( (t_\mathrm{lat} (1 + g_\mathrm{lat} (n_\mathrm{rank} -
            2)))^{p_\mathrm{join}} + \left( \frac{Q}{\beta_\mathrm{dir} e_\ell}
            \right)^{p_\mathrm{join}} \right)^{\frac{1}{p_\mathrm{join}}}

    Parameters
    ----------
    moved
        Bytes that a GPU sends over its link: for a payload S among n GPUs S (n-1)/n, twice that for
        an all-reduce, S for an all-reduce in which the switches reduce.
    link_bandwidth
        Nominal bandwidth of the link, one direction.
    link_share
        Share of it that very large messages reach.
    ranks
        GPUs that take part.
    latency
        Time of the smallest message between two GPUs.
    latency_growth
        Part of it that each further GPU adds.
    exponent
        Exponent that combines latency and bandwidth: 1 adds the two times. Measured values are
        below 1: where both matter, a collective takes longer than their sum.

    Returns
    -------
    Seconds.

    Notes
    -----
    All links of the domain are alike and used by this collective alone.

    Examples
    --------
    512 MiB reduced among 8 GPUs of an H100 node; measured: 2.11 ms, because its switches reduce.

    >>> round(1000 * collective_time(7 * 2**27, 450e9, 0.82, 8, 6.1e-6, 0.27, 0.67), 2)
    2.67

    Source
    ------
    Derived here; docs/decisions says which forms were compared.
    """
    start = latency * (1 + latency_growth * (ranks - 2))
    return (start**exponent + ratio(moved, link_bandwidth * link_share) ** exponent) ** ratio(
        1, exponent
    )


@formula(r"g_\mathrm{ring}", "ring_base > 0", result=SHARE)
def ring_latency_growth(phases: Count, ring_base: Seconds, ring_step: Seconds) -> Ratio:
    r"""Give the latency that each further GPU adds to a ring, over that of a ring of two.

    .. math::

        g_\mathrm{ring} = \frac{n_\mathrm{ph} t_\mathrm{hop}}{t_\mathrm{base} + n_\mathrm{ph}
            t_\mathrm{hop}}

    Parameters
    ----------
    phases
        1 for a reduce-scatter or all-gather, 2 for an all-reduce.
    ring_base, ring_step
        Latency of a collective, and of each step of its ring.

    Returns
    -------
    Share of the latency with two GPUs.

    Notes
    -----
    A ring of n GPUs takes n - 1 steps in each phase.

    Examples
    --------
    With NCCL's own values for NVLink, 3.6 us and 0.47 us a step, an all-gather gains

    >>> round(ring_latency_growth(1, 3.6e-6, 0.47e-6), 3)
    0.115

    Source
    ------
    NVIDIA/nccl at 01afd20, src/graph/tuning.cc (ncclTopoTuneModel).
    """
    return ratio(phases * ring_step, ring_base + phases * ring_step)


@formula(r"\beta_\mathrm{tier}", "oversubscription >= 1")
def tier_bandwidth(
    scale_up_bandwidth: BytesPerSecond,
    scale_up_share: Ratio,
    scale_out_bandwidth: BytesPerSecond,
    scale_out_share: Ratio,
    gpus_per_node: Count,
    rails: Count,
    oversubscription: Ratio,
) -> BytesPerSecond:
    r"""Give the bandwidth of a ring across nodes: that of its slower tier.

    .. math::

        \beta_\mathrm{tier} = \min(\beta_\mathrm{up} e_\mathrm{up}, \frac{\beta_\mathrm{out}
            e_\mathrm{out} \min(G_n, n_\mathrm{rail})}{f_\mathrm{over}})

    Parameters
    ----------
    scale_up_bandwidth, scale_up_share
        Bandwidth of a GPU in its node, one direction, and the share that is reached.
    scale_out_bandwidth, scale_out_share
        Bandwidth of a network port, one direction, and the share that is reached.
    gpus_per_node
        GPUs of the group that share a node.
    rails
        Network ports of a node that the group can use.
    oversubscription
        Bandwidth below a leaf switch over that above it: 1 for a full fat tree.

    Returns
    -------
    Bytes per second of each GPU, as a ring in one domain has them.

    Notes
    -----
    The node sends to the next one over as many ports as it has GPUs in the group, at most all.
    Assumed: no public sweep across nodes exists to fit it to.

    Examples
    --------
    Eight GPUs of an H100 node with a 400 Gbit/s port each are bound by NVLink:

    >>> tier_bandwidth(450 * 10**9, 0.8, 50 * 10**9, 0.9, 8, 8, 1)
    360000000000.0

    Source
    ------
    Derived here.
    """
    return minimum(
        scale_up_bandwidth * scale_up_share,
        ratio(
            scale_out_bandwidth * scale_out_share * minimum(gpus_per_node, rails), oversubscription
        ),
    )


@formula(r"t_\mathrm{exch}")
def exchange_time(
    scale_up_bytes: Bytes,
    scale_up_bandwidth: BytesPerSecond,
    scale_up_share: Ratio,
    scale_out_bytes: Bytes,
    scale_out_bandwidth: BytesPerSecond,
    scale_out_share: Ratio,
    latency: Seconds,
) -> Seconds:
    r"""Give the time of a dispatch or a combine of tokens between experts.

    .. math::

        t_\mathrm{exch} = \max(\frac{Q_\mathrm{up}}{\beta_\mathrm{up} e_\mathrm{up}},
            \frac{Q_\mathrm{out}}{\beta_\mathrm{out} e_\mathrm{out}}) + t_\mathrm{lat}

    Parameters
    ----------
    scale_up_bytes, scale_up_bandwidth, scale_up_share
        Bytes that a GPU sends within its node, its bandwidth there, and the share that is reached.
    scale_out_bytes, scale_out_bandwidth, scale_out_share
        The same between nodes.
    latency
        Time of the smallest exchange: longer where it leaves the node.

    Returns
    -------
    Seconds.

    Notes
    -----
    Both tiers carry at the same time, so the slower one counts. A low-latency exchange sends a copy
    of a token for each expert; a normal one sends one for each GPU in the node, and one for each
    node.

    Examples
    --------
    128 tokens of DeepSeek-V3, FP8, to eight experts each, seven eighths of them on other GPUs of an
    H100 node; measured: 40 us.

    >>> round(10**6 * exchange_time(128 * 8 * 7408 * 7 // 8, 450e9, 0.51, 0, 50e9, 0.9, 13.3e-6), 1)
    42.2

    Source
    ------
    Derived here; docs/decisions says which forms were compared.
    """
    return (
        maximum(
            ratio(scale_up_bytes, scale_up_bandwidth * scale_up_share),
            ratio(scale_out_bytes, scale_out_bandwidth * scale_out_share),
        )
        + latency
    )
