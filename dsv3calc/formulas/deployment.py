"""Units of deployment: their GPUs, the experts of each, and the links between."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Bits, BytesPerSecond, Count, Expected, Ratio
from dsv3calc.numbers.ops import ratio


@formula(r"G_\mathrm{unit}")
def unit_gpus(unit_nodes: Count, gpus_per_node: Count) -> Count:
    r"""Count the GPUs of a unit of deployment.

    .. math:: G_\mathrm{unit} = n_\mathrm{unit} G_n

    Parameters
    ----------
    unit_nodes
        Nodes of the unit.
    gpus_per_node
        GPUs of a node.

    Returns
    -------
    GPUs.

    Notes
    -----
    Whole nodes.

    Examples
    --------
    Decoding of DeepSeek-V3:

    >>> unit_gpus(40, 8)
    320

    Source
    ------
    arXiv:2412.19437 §3.4.
    """
    return unit_nodes * gpus_per_node


@formula(r"G_\mathrm{attn}")
def attention_gpus(tp: Count, dp: Count) -> Count:
    r"""Count the GPUs that attention is spread over.

    .. math:: G_\mathrm{attn} = P_t P_d

    Parameters
    ----------
    tp
        Tensor-parallel GPUs.
    dp
        Data-parallel replicas of attention.

    Returns
    -------
    GPUs.

    Notes
    -----
    Neither pipeline nor context parallelism, as in serving.

    Examples
    --------
    TP4 and DP80:

    >>> attention_gpus(4, 80)
    320

    Source
    ------
    arXiv:2412.19437 §3.4.
    """
    return tp * dp


@formula(r"m_\mathrm{gpu}")
def experts_per_gpu(
    n_routed_experts: Count, redundant_experts: Count, shared_slots: Count, ep: Count
) -> Expected:
    r"""Count the experts that each GPU of an expert-parallel group has.

    .. math:: m_\mathrm{gpu} = \frac{E + n_\mathrm{red} + n_\mathrm{shared}}{P_e}

    Parameters
    ----------
    n_routed_experts
        Routed experts of a layer.
    redundant_experts
        Replicas of some of them.
    shared_slots
        Shared experts that take places like routed ones.
    ep
        Expert-parallel GPUs.

    Returns
    -------
    Experts of a layer on one GPU.

    Notes
    -----
    A whole number, where places are spread evenly.

    Examples
    --------
    Prefill of DeepSeek-V3, with 32 replicas on 32 GPUs:

    >>> experts_per_gpu(256, 32, 0, 32)
    9

    Source
    ------
    arXiv:2412.19437 §3.4.1.
    """
    return ratio(n_routed_experts + redundant_experts + shared_slots, ep)


@formula(r"\rho_\mathrm{link}")
def link_ratio(scale_up_bandwidth: BytesPerSecond, scale_out_bandwidth: BytesPerSecond) -> Ratio:
    r"""Compare the bandwidths within and between nodes.

    .. math:: \rho_\mathrm{link} = \frac{\beta_\mathrm{up}}{\beta_\mathrm{out}}

    Parameters
    ----------
    scale_up_bandwidth
        Bandwidth of a GPU within the node.
    scale_out_bandwidth
        Bandwidth of a GPU between nodes.

    Returns
    -------
    How many times as fast the inner link is.

    Notes
    -----
    Both nominal or both achieved. Also the number of experts in a node to which a copy can be
    forwarded in the time in which it crosses between nodes once.

    Examples
    --------
    >>> link_ratio(160 * 10**9, 50 * 10**9)
    3.2

    Source
    ------
    arXiv:2412.19437 §3.2.2; arXiv:2505.09343 §4.3.
    """
    return ratio(scale_up_bandwidth, scale_out_bandwidth)


@formula(r"k_\mathrm{reach}")
def experts_behind_scale_out(
    topk_group: Count, scale_up_bandwidth: BytesPerSecond, scale_out_bandwidth: BytesPerSecond
) -> Expected:
    r"""Count the experts of a token that forwarding reaches while it is sent between nodes.

    .. math:: k_\mathrm{reach} = \frac{k_g \beta_\mathrm{up}}{\beta_\mathrm{out}}

    Parameters
    ----------
    topk_group
        Nodes that one token may be sent to.
    scale_up_bandwidth
        Bandwidth of a GPU within the node.
    scale_out_bandwidth
        Bandwidth of a GPU between nodes.

    Returns
    -------
    Experts.

    Notes
    -----
    A copy crosses to each node once and is forwarded there meanwhile.

    Examples
    --------
    Four nodes, 160 and 50 GB/s; the report says 13:

    >>> experts_behind_scale_out(4, 160 * 10**9, 50 * 10**9)
    12.8

    Source
    ------
    arXiv:2412.19437 §3.2.2.
    """
    return ratio(topk_group * scale_up_bandwidth, scale_out_bandwidth)


@formula(r"n_\mathrm{chan}")
def communication_channels(communication_sms: Count, channel_sms: Count) -> Expected:
    r"""Count the channels that communicating multiprocessors form.

    .. math:: n_\mathrm{chan} = \frac{n_\mathrm{comm}}{n_\mathrm{sm}}

    Parameters
    ----------
    communication_sms
        Multiprocessors that communicate.
    channel_sms
        Multiprocessors of a channel.

    Returns
    -------
    Channels.

    Notes
    -----
    A sender and a receiver each.

    Examples
    --------
    >>> communication_channels(20, 2)
    10

    Source
    ------
    arXiv:2412.19437 §3.2.2.
    """
    return ratio(communication_sms, channel_sms)


@formula(r"\beta_\mathrm{pcie}")
def pcie_bandwidth(
    lanes: Count, lane_bandwidth: BytesPerSecond, data_bits: Bits, line_bits: Bits
) -> BytesPerSecond:
    r"""Give the bandwidth of PCI Express lanes in one direction.

    .. math::

        \beta_\mathrm{pcie} = \frac{n_\mathrm{lane} \beta_\mathrm{lane}
            b_\mathrm{data}}{b_\mathrm{line}}

    Parameters
    ----------
    lanes
        Lanes.
    lane_bandwidth
        Raw rate of a lane in one direction.
    data_bits
        Bits of data in a block of the line code.
    line_bits
        Bits that are sent for them.

    Returns
    -------
    Bytes per second, before packet headers.

    Notes
    -----
    PCIe 3.0 to 5.0 send 130 bits for 128.

    Examples
    --------
    160 lanes of PCIe 5.0, 32 Gbit/s each:

    >>> round(pcie_bandwidth(160, 4 * 10**9, 128, 130) / 1e9, 2)
    630.15

    Source
    ------
    PCI Express base specification 5.0, physical layer.
    """
    return ratio(lanes * lane_bandwidth * data_bits, line_bits)
