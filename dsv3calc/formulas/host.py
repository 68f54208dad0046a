"""The host of a node: its memory read by its CPUs, caches that are kept, links that are shared."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import (
    BytesPerSecond,
    BytesPerToken,
    FractionalBytes,
    Ratio,
    Seconds,
    TokensPerSecond,
)
from dsv3calc.numbers.ops import maximum, minimum, ratio


@formula(
    r"t_\mathrm{host}",
    "dram_bandwidth > 0",
    "dram_share > 0",
)
def host_read_time(
    host_bytes: FractionalBytes, dram_bandwidth: BytesPerSecond, dram_share: Ratio
) -> Seconds:
    r"""Give the time in which the CPUs of a host read weights from its memory.

    .. math:: t_\mathrm{host} = \frac{B_\mathrm{host}}{s_\mathrm{dram} \beta_\mathrm{host}}

    Parameters
    ----------
    host_bytes
        Bytes that are read.
    dram_bandwidth
        Bandwidth of the host's memory, all sockets together.
    dram_share
        Share of it that is reached.

    Returns
    -------
    Time.

    Notes
    -----
    Each socket reads its own memory. CPU caches have no hits.

    Examples
    --------
    58 layers of 8 experts in 4.5 bits from two sockets of eight DDR5-4800, in ms:

    >>> round(host_read_time(58 * 8 * 44040192 * 4.5 / 8, 614.4e9, 0.571) * 1e3, 1)
    32.8

    Source
    ------
    Derived here; the setting is that of arXiv:2505.09343 section 2.2.2.
    """
    return ratio(host_bytes, dram_share * dram_bandwidth)


@formula(r"\beta_\mathrm{reload}")
def reload_bandwidth(
    token_cache_bytes: BytesPerToken, node_prefill_rate: TokensPerSecond
) -> BytesPerSecond:
    r"""Give the bandwidth above which reloading a cached context is faster than computing it again.

    .. math:: \beta_\mathrm{reload} = B_\mathrm{tok} R_\mathrm{pre}

    Parameters
    ----------
    token_cache_bytes
        KV cache of a token.
    node_prefill_rate
        Prefilled tokens per second and node.

    Returns
    -------
    Bandwidth of the node to the storage of the cache.

    Notes
    -----
    The rate is that of the context in question: prefill of a long context is slower for each token.

    Examples
    --------
    DeepSeek-V3 at the published 32,200 tokens/s of a node, in GB/s:

    >>> round(reload_bandwidth(70272, 32200) / 1e9, 2)
    2.26

    Source
    ------
    Derived here; arXiv:2505.09343 sections 2.1.2 and 5.1.
    """
    return token_cache_bytes * node_prefill_rate


@formula(r"\beta_\mathrm{hits}", "hit_rate < 1")
def hit_traffic(
    token_cache_bytes: BytesPerToken, node_prefill_rate: TokensPerSecond, hit_rate: Ratio
) -> BytesPerSecond:
    r"""Give the bandwidth at which a node reloads the part of its prompts that is cached.

    .. math::

        \beta_\mathrm{hits} = \frac{B_\mathrm{tok} R_\mathrm{pre} h_\mathrm{hit}}{1 -
            h_\mathrm{hit}}

    Parameters
    ----------
    token_cache_bytes
        KV cache of a token.
    node_prefill_rate
        Prefilled tokens per second and node: those that were not found.
    hit_rate
        Share of the tokens of prompts that are found in the cache.

    Returns
    -------
    Bytes that a node reloads in a second.

    Notes
    -----
    The node is always busy with tokens that were not found.

    Examples
    --------
    >>> round(hit_traffic(70272, 32200, 0.5625) / 1e9, 2)
    2.91

    Source
    ------
    Derived here; the hit rate is that of the DeepSeek-V3/R1 Inference System Overview.
    """
    return ratio(token_cache_bytes * node_prefill_rate * hit_rate, 1 - hit_rate)


@formula(r"M_\mathrm{kept}")
def retained_cache_bytes(
    token_cache_bytes: BytesPerToken,
    node_prefill_rate: TokensPerSecond,
    retention_seconds: Seconds,
) -> FractionalBytes:
    r"""Give the capacity needed to keep the caches of a node's prompts for a given time.

    .. math:: M_\mathrm{kept} = B_\mathrm{tok} R_\mathrm{pre} t_\mathrm{keep}

    Parameters
    ----------
    token_cache_bytes
        KV cache of a token.
    node_prefill_rate
        Prefilled tokens per second and node.
    retention_seconds
        Time for which a cache is kept.

    Returns
    -------
    Bytes for one node.

    Notes
    -----
    Every computed token is written once. Tokens of answers are not kept.

    Examples
    --------
    A day of DeepSeek-V3's prompts, in TB:

    >>> round(retained_cache_bytes(70272, 32200, 86400) / 1e12)
    196

    Source
    ------
    Derived here.
    """
    return token_cache_bytes * node_prefill_rate * retention_seconds


@formula(r"\beta_\mathrm{left}")
def shared_lane_bandwidth(
    nic_bandwidth: BytesPerSecond, host_lane_bandwidth: BytesPerSecond, host_traffic: BytesPerSecond
) -> BytesPerSecond:
    r"""Give the bandwidth left to a NIC on a device's link that other traffic uses too.

    .. math::

        \beta_\mathrm{left} = \max(0, \min(\beta_\mathrm{nic}, \beta_\mathrm{pcie} -
            \beta_\mathrm{other}))

    Parameters
    ----------
    nic_bandwidth
        Bandwidth of the NIC.
    host_lane_bandwidth
        Bandwidth of the link to the device, such as 16 lanes of PCIe 5.0.
    host_traffic
        Other traffic in the same direction, such as loads of KV caches.

    Returns
    -------
    Bandwidth of the NIC, per direction.

    Notes
    -----
    The other traffic is subtracted in full, although the link gives priority to neither.

    Examples
    --------
    A NIC of 50 GB/s on a link of 63 GB/s that also carries 30 GB/s:

    >>> shared_lane_bandwidth(50, 63, 30), shared_lane_bandwidth(50, 63, 13)
    (33, 50)

    Source
    ------
    Derived here; arXiv:2505.09343 section 4.5.
    """
    return maximum(0, minimum(nic_bandwidth, host_lane_bandwidth - host_traffic))
