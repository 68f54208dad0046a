"""Expert traffic: copies by link, bytes, times, and the limit that they set to decoding."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.ops import ceil_div, floor_div, maximum, minimum, ratio
from dsv3calc.registry import formula
from dsv3calc.units import (
    Bits,
    Bytes,
    BytesPerSecond,
    Count,
    Elements,
    Expected,
    Ratio,
    Seconds,
    Tokens,
)


@formula(r"B_\mathrm{copy}")
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
    Derived here; the example is the test of deepseek-ai/DeepEP, ``tests/test_low_latency.py``.
    """
    return (
        ceil_div(hidden_size * bits + ceil_div(hidden_size, group_size) * scale_bits, 8)
        + metadata_bytes
    )


@formula(r"\rho_\mathrm{byte}")
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


@formula(r"N_\mathrm{ep}")
def expert_ranks_per_node(gpus: Count, gpus_per_node: Count, rank_stride: Count) -> Count:
    r"""Count the members of an expert-parallel group that share a node.

    .. math:: N_\mathrm{ep} = \max(1, \min(G, \lfloor G_n / s_\mathrm{rank} \rfloor))

    Parameters
    ----------
    gpus
        Members of the group.
    gpus_per_node
        GPUs that the scale-up link joins.
    rank_stride
        Distance between neighbours of the group in the numbering of GPUs.

    Returns
    -------
    Members in one node, at least one.

    Notes
    -----
    Nodes are numbered one after the other and the group starts at the first GPU of a node.

    Examples
    --------
    >>> expert_ranks_per_node(64, 8, 1), expert_ranks_per_node(64, 8, 16)
    (8, 1)

    Source
    ------
    Derived here.
    """
    return maximum(1, minimum(gpus, floor_div(gpus_per_node, rank_stride)))


@formula(r"n_\mathrm{node}")
def expert_nodes(gpus: Count, gpus_per_node: Count) -> Count:
    r"""Count the nodes of an expert-parallel group.

    .. math:: n_\mathrm{node} = \lceil G / G_n \rceil

    Parameters
    ----------
    gpus
        Members of the group.
    gpus_per_node
        Members that share a node.

    Returns
    -------
    Nodes, the last one perhaps not full.

    Notes
    -----
    The group fills its nodes.

    Examples
    --------
    >>> expert_nodes(64, 8)
    8

    Source
    ------
    Derived here.
    """
    return ceil_div(gpus, gpus_per_node)


@formula(r"\sigma_\mathrm{out}")
def crossing_share(gpus: Count, gpus_per_node: Count) -> Ratio:
    r"""Give the share of evenly spread copies that leave the node.

    .. math:: \sigma_\mathrm{out} = \frac{G - G_n}{G}

    Parameters
    ----------
    gpus
        Members of the expert-parallel group.
    gpus_per_node
        Members that share a node.

    Returns
    -------
    Share from 0, for one node, towards 1.

    Notes
    -----
    Every member is as likely a destination as any other, wherever the token is. This turns
    DeepEP's logical bandwidth, which counts the own node, into the physical one.

    Examples
    --------
    Eight GPUs of 64 are in the own node:

    >>> crossing_share(64, 8)
    0.875

    Source
    ------
    Derived here; the definition of deepseek-ai/DeepEP, README.md, that makes it necessary.
    """
    return ratio(gpus - gpus_per_node, gpus)


@formula(r"c_\mathrm{out}")
def crossing_copies(token_copies: Expected, gpus: Count, gpus_per_node: Count) -> Expected:
    r"""Expect the copies of a token that leave its node.

    .. math:: c_\mathrm{out} = \frac{c_t (G - G_n)}{G}

    Parameters
    ----------
    token_copies
        Copies of a token: to experts, GPUs or nodes, its own included.
    gpus
        Members of the expert-parallel group.
    gpus_per_node
        Members that share a node.

    Returns
    -------
    Copies that the scale-out link carries.

    Notes
    -----
    Every member is as likely a destination as any other, wherever the token is.

    Examples
    --------
    >>> crossing_copies(8, 64, 8)
    7

    Source
    ------
    Derived here.
    """
    return ratio(token_copies * (gpus - gpus_per_node), gpus)


@formula(r"c_\mathrm{near}")
def neighbour_copies(token_copies: Expected, gpus: Count, gpus_per_node: Count) -> Expected:
    r"""Expect the copies of a token that go to other GPUs of its node.

    .. math:: c_\mathrm{near} = \frac{c_t (G_n - 1)}{G}

    Parameters
    ----------
    token_copies
        Copies of a token: to experts or GPUs, its own included.
    gpus
        Members of the expert-parallel group.
    gpus_per_node
        Members that share a node.

    Returns
    -------
    Copies that the scale-up link carries when nothing is forwarded.

    Notes
    -----
    Every member is as likely a destination as any other, wherever the token is.

    Examples
    --------
    >>> neighbour_copies(8, 64, 8)
    0.875

    Source
    ------
    Derived here.
    """
    return ratio(token_copies * (gpus_per_node - 1), gpus)


@formula(r"c_\mathrm{fan}")
def forwarded_copies(token_copies: Expected, gpus_per_node: Count) -> Expected:
    r"""Expect the copies of a token that nodes hand on to their other GPUs.

    .. math:: c_\mathrm{fan} = \frac{c_t (G_n - 1)}{G_n}

    Parameters
    ----------
    token_copies
        Distinct GPUs that a token goes to, its own included.
    gpus_per_node
        Members that share a node.

    Returns
    -------
    Copies that the scale-up links of all nodes carry for one token.

    Notes
    -----
    In each node one GPU has the token already: its own, or the GPU of the same index that the one
    copy over the scale-out link reaches. Of the distinct GPUs a share of one in ``gpus_per_node``
    is such a GPU, since every member is as likely a destination as any other.

    Examples
    --------
    >>> forwarded_copies(7.5, 8)
    6.5625

    Source
    ------
    Derived here; the forwarding is that of arXiv:2412.19437 §3.2.2 and arXiv:2505.09343 §4.3.
    """
    return ratio(token_copies * (gpus_per_node - 1), gpus_per_node)


@formula(r"c_{+1}")
def copies_with_shared(token_copies: Expected, places: Count) -> Expected:
    r"""Expect the distinct places of a token that also goes to a replica of the shared experts.

    .. math:: c_{+1} = \frac{c_t (n_\mathrm{place} - 1) + n_\mathrm{place}}{n_\mathrm{place}}

    Parameters
    ----------
    token_copies
        Distinct places that the routed experts need.
    places
        Places that there are: GPUs or nodes of the group.

    Returns
    -------
    Distinct places with the shared experts' copy.

    Notes
    -----
    The replica is in any place with the same chance, whatever the routing. The shared experts run
    as one feed-forward, so they take one copy.

    Examples
    --------
    >>> copies_with_shared(3, 4)
    3.25

    Source
    ------
    Derived here; the ninth expert of arXiv:2412.19437 §3.4.2.
    """
    return ratio(token_copies * (places - 1) + places, places)


@formula(r"T_\mathrm{gpu}")
def dispatched_tokens(micro_batch: Count, sequence: Tokens, tp: Count, cp: Count) -> Tokens:
    r"""Count the tokens of a micro-batch that one GPU dispatches.

    .. math:: T_\mathrm{gpu} = \frac{B_\mathrm{micro} S}{P_t P_c}

    Parameters
    ----------
    micro_batch
        Sequences of a micro-batch.
    sequence
        Tokens of each.
    tp, cp
        GPUs that hold the same tokens' shards: tensor and context parallelism.

    Returns
    -------
    Tokens of one GPU, a mean where they do not divide.

    Notes
    -----
    Each token is dispatched once: tensor parallelism splits the sequence before the experts, as
    sequence parallelism does.

    Examples
    --------
    >>> dispatched_tokens(1, 4096, 4, 1)
    1024

    Source
    ------
    arXiv:2412.19437 §3.4.1: TP4 with SP.
    """
    return ratio(micro_batch * sequence, tp * cp)


@formula(r"m")
def replica_micro_batches(global_batch: Count, dp: Count, micro_batch: Count) -> Count:
    r"""Count the micro-batches of one replica in a training step.

    .. math:: m = \frac{B_\mathrm{step}}{P_d B_\mathrm{micro}}

    Parameters
    ----------
    global_batch
        Sequences of a step.
    dp
        Replicas that share them.
    micro_batch
        Sequences of a micro-batch.

    Returns
    -------
    Micro-batches of a replica.

    Notes
    -----
    Exact where the sequences divide.

    Examples
    --------
    DeepSeek-V3's pre-training with one sequence in a micro-batch:

    >>> replica_micro_batches(15360, 128, 1)
    120

    Source
    ------
    Derived here; the example is arXiv:2412.19437 §3.2 and §4.2.
    """
    return ratio(global_batch, dp * micro_batch)


@formula(r"\ell_\mathrm{gpu}")
def layers_per_gpu(layers: Count, pp: Count) -> Expected:
    r"""Give the layers that a GPU holds, on the mean of its pipeline.

    .. math:: \ell_\mathrm{gpu} = \frac{\ell}{P_p}

    Parameters
    ----------
    layers
        Layers of the model that are meant.
    pp
        Pipeline stages.

    Returns
    -------
    Layers of one GPU; stages of whole layers have more or fewer.

    Notes
    -----
    A mean over the stages: how DeepSeek-V3's 61 layers divide among 16 is not published. Under
    DualPipe a GPU holds two stages, each for half of the micro-batches: the mean is the same.

    Examples
    --------
    >>> layers_per_gpu(58, 16)
    3.625

    Source
    ------
    Derived here.
    """
    return ratio(layers, pp)


@formula(r"r")
def message_rounds(members: Count) -> Count:
    r"""Tell whether a group sends messages at all: once, or never when it has a single member.

    .. math:: r = \min(1, n_\mathrm{member} - 1)

    Parameters
    ----------
    members
        Nodes, or GPUs of a node, that a phase sends among.

    Returns
    -------
    1 or 0: the latencies that a phase waits for one after the other.

    Notes
    -----
    Messages to all destinations leave at once, so a phase waits for one latency, not for one for
    each destination.

    Examples
    --------
    >>> message_rounds(8), message_rounds(1)
    (1, 0)

    Source
    ------
    Derived here.
    """
    return minimum(1, members - 1)


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
        Bytes that a GPU sends, on the mean of the group.
    link_bandwidth
        Bandwidth of the link, per direction.
    imbalance
        Bytes of the busiest GPU over the mean.
    rounds, latency
        Latencies that are waited for one after the other, and how long each is.

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


@formula(r"\eta_\mathrm{hid}")
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


@formula(r"h_\mathrm{K}")
def hidden_in_thousands(hidden_size: Elements) -> Elements:
    r"""Cut a hidden size to whole thousands, as a paper says 7K for 7168.

    .. math:: h_\mathrm{K} = 1000 \lfloor h / 1000 \rfloor

    Parameters
    ----------
    hidden_size
        Width of the residual stream.

    Returns
    -------
    The largest multiple of 1000 below it.

    Notes
    -----
    A convention of print, not a property of the model.

    Examples
    --------
    >>> hidden_in_thousands(7168)
    7000

    Source
    ------
    arXiv:2505.09343 §2.3.2, whose 120.96 µs take 7K for 7000.
    """
    return 1000 * floor_div(hidden_size, 1000)


@formula(r"t_\mathrm{layer}")
def two_micro_batch_time(communication_seconds: Seconds) -> Seconds:
    r"""Bound the time of a layer in which two micro-batches alternate between links and arithmetic.

    .. math:: t_\mathrm{layer} = 2 t_\mathrm{comm}

    Parameters
    ----------
    communication_seconds
        Dispatch and combine of one micro-batch in one layer.

    Returns
    -------
    Seconds of a layer for both micro-batches.

    Notes
    -----
    Computation is taken to be as short as needed: while one micro-batch communicates the other
    computes, so a layer lasts at least two communications.

    Examples
    --------
    >>> two_micro_batch_time(120)
    240

    Source
    ------
    arXiv:2505.09343 §2.3.2.
    """
    return 2 * communication_seconds


@formula(r"t_\mathrm{tok}")
def time_per_output_token(layers: Count, layer_seconds: Seconds) -> Seconds:
    r"""Bound the time per output token by that of the layers that communicate.

    .. math:: t_\mathrm{tok} = \ell t_\ell

    Parameters
    ----------
    layers
        Layers that dispatch and combine.
    layer_seconds
        Time of one of them.

    Returns
    -------
    Seconds per output token of a request.

    Notes
    -----
    Layers follow each other; what else a step does takes no time.

    Examples
    --------
    >>> time_per_output_token(61, 0.00024192)
    0.01475712

    Source
    ------
    arXiv:2505.09343 §2.3.2.
    """
    return layers * layer_seconds


@formula(r"\gamma")
def mtp_gain(acceptance: Ratio, mtp_cost: Ratio) -> Ratio:
    r"""Give the speed-up of decoding that one multi-token-prediction module brings.

    .. math:: \gamma = \frac{1 + p}{1 + c_\mathrm{mtp}}

    Parameters
    ----------
    acceptance
        Share of the drafted second tokens that are accepted.
    mtp_cost
        Time that the module adds to a step, over that of the step without it.

    Returns
    -------
    Tokens per second with the module over those without.

    Notes
    -----
    A step yields one token and, with the acceptance's chance, a second one.

    Examples
    --------
    >>> mtp_gain(0.8, 0)
    1.8

    Source
    ------
    arXiv:2505.09343 §2.3.3 gives acceptance and gain; the cost is derived here.
    """
    return ratio(1 + acceptance, 1 + mtp_cost)
