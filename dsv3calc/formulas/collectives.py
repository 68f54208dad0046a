"""Collectives of a layout: who shares a node, bytes on each link, messages, bandwidths.

Bytes are those of one GPU's links in the direction that carries more. What a collective moves is
its ``payload``: the whole tensor, as NCCL's tests count it, not one GPU's share of it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.ops import maximum, minimum, ratio
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


@formula(r"g_\mathrm{node}")
def members_per_node(ranks: Count, rank_stride: Count, gpus_per_node: Count) -> Count:
    r"""Count the members of a group that share a node.

    .. math::

        g_\mathrm{node} = \frac{\min(G_n, n_\mathrm{rank} s_\mathrm{rank})}{\min(G_n,
            s_\mathrm{rank})}

    Parameters
    ----------
    ranks
        GPUs of the group.
    rank_stride
        Distance of neighbours of the group in the numbering of GPUs.
    gpus_per_node
        GPUs that the scale-up link joins.

    Returns
    -------
    Members in one node, at least one.

    Notes
    -----
    Nodes are numbered one after the other. Exact where groups fill nodes evenly: the stride divides
    the node, and the members that fit divide the group or are a multiple of it.

    Examples
    --------
    Expert parallelism of 64 fills nodes of 8; pipeline stages 128 GPUs apart never meet in one.

    >>> members_per_node(64, 1, 8), members_per_node(16, 128, 8)
    (8, 1)

    Source
    ------
    Derived here, for the rank order of Megatron-Core's parallel_state.py.
    """
    return ratio(minimum(gpus_per_node, ranks * rank_stride), minimum(gpus_per_node, rank_stride))


@formula(r"m_\mathrm{node}")
def nodes_of_group(ranks: Count, members: Count) -> Count:
    r"""Count the nodes that a group spans.

    .. math:: m_\mathrm{node} = \frac{n_\mathrm{rank}}{n_\mathrm{member}}

    Parameters
    ----------
    ranks
        GPUs of the group.
    members
        Those of them that share a node.

    Returns
    -------
    Nodes.

    Notes
    -----
    Every node that the group touches has as many members.

    Examples
    --------
    >>> nodes_of_group(64, 8)
    8

    Source
    ------
    Derived here.
    """
    return ratio(ranks, members)


@formula(r"g_\mathrm{pair}")
def mirrored_members(pp: Count, members: Count) -> Count:
    r"""Tell how many of two mirrored pipeline ranks share a node under DualPipe.

    .. math:: g_\mathrm{pair} = 1 + \max(0, n_\mathrm{member} - P_p + 1)

    Parameters
    ----------
    pp
        Pipeline ranks.
    members
        Pipeline ranks of one pipeline that share a node.

    Returns
    -------
    2 where the whole pipeline stands in one node, else 1.

    Notes
    -----
    The pair is (i, pp - 1 - i). Where a pipeline spans several nodes the outer pairs do not meet in
    one; a middle node of an odd number of nodes may hold a pair, which is passed over.

    Examples
    --------
    >>> mirrored_members(8, 8), mirrored_members(16, 1)
    (2, 1)

    Source
    ------
    Derived here; the pairs are those of deepseek-ai/DualPipe, README.md.
    """
    return 1 + maximum(0, members - pp + 1)


@formula(r"d_\mathrm{edp}")
def expert_replicas(tp: Count, cp: Count, dp: Count, ep: Count, etp: Count) -> Count:
    r"""Count the replicas of an expert within a pipeline stage.

    .. math:: d_\mathrm{edp} = \frac{P_t P_c P_d}{P_e P_{et}}

    Parameters
    ----------
    tp, cp, dp
        Degrees of the attention: their product is the GPUs of a stage.
    ep, etp
        GPUs that experts, and the matrices of one expert, are spread over.

    Returns
    -------
    The data parallelism of experts.

    Notes
    -----
    Expert parallelism regroups the GPUs of a stage.

    Examples
    --------
    DeepSeek-V3's pre-training:

    >>> expert_replicas(1, 1, 128, 64, 1)
    2

    Source
    ------
    Megatron-Core, parallel_state.py (expert_data_parallel_size).
    """
    return ratio(tp * cp * dp, ep * etp)


@formula(r"e_\mathrm{sole}")
def sole_stage(pp: Count) -> Count:
    r"""Tell whether a single stage is both the first and the last.

    .. math:: e_\mathrm{sole} = \max(0, 2 - P_p)

    Parameters
    ----------
    pp
        Pipeline stages.

    Returns
    -------
    1 without pipeline parallelism, else 0.

    Notes
    -----
    Exact.

    Examples
    --------
    >>> sole_stage(1), sole_stage(16)
    (1, 0)

    Source
    ------
    Derived here.
    """
    return maximum(0, 2 - pp)


@formula(r"B_\mathrm{act}")
def activation_payload(
    micro_batch: Count, sequence: Tokens, width: Elements, bits: Bits, split: Count
) -> Bytes:
    r"""Give the bytes of one tensor of activations of a micro-batch.

    .. math:: B_\mathrm{act} = \frac{B_\mathrm{micro} S d b}{8 n_\mathrm{split}}

    Parameters
    ----------
    micro_batch
        Sequences of a micro-batch.
    sequence
        Tokens of each.
    width
        Elements of a token.
    bits
        Width of an element as sent.
    split
        GPUs that share the tensor: cp, and tp where the sequence is split over it too.

    Returns
    -------
    Bytes.

    Notes
    -----
    No scales: collectives of activations are taken to be in a plain format.

    Examples
    --------
    One sequence of DeepSeek-V3's hidden states in BF16:

    >>> activation_payload(1, 4096, 7168, 16, 1)
    58720256

    Source
    ------
    Derived here.
    """
    return ratio(micro_batch * sequence * width * bits, 8 * split)


@formula(r"B_\mathrm{shard}")
def shard_payload(elements: Elements, bits: Bits, split: Count) -> Bytes:
    r"""Give the bytes of one GPU's gradients or parameters before they are reduced or gathered.

    .. math:: B_\mathrm{shard} = \frac{N b}{8 n_\mathrm{split}}

    Parameters
    ----------
    elements
        Elements of the tensors.
    bits
        Width of an element as sent.
    split
        GPUs that the tensors are divided among by tensor, expert and pipeline parallelism.

    Returns
    -------
    Bytes.

    Notes
    -----
    A mean where the tensors do not divide.

    Examples
    --------
    >>> shard_payload(44040192, 32, 1)
    176160768

    Source
    ------
    Derived here.
    """
    return ratio(elements * bits, 8 * split)


@formula(r"n_\mathrm{held}")
def held_heads(heads: Count, tp: Count, fewest: Count) -> Expected:
    r"""Count the heads of a layer that one GPU holds under tensor parallelism.

    .. math:: n_\mathrm{held} = \max(\frac{n}{P_t}, n_\mathrm{min})

    Parameters
    ----------
    heads
        Heads of the layer.
    tp
        GPUs that they are divided among.
    fewest
        Heads below which they are repeated rather than divided: 1, or cp before an all-to-all.

    Returns
    -------
    Heads.

    Notes
    -----
    A mean where they do not divide.

    Examples
    --------
    >>> held_heads(128, 4, 1), held_heads(8, 16, 1)
    (32, 1)

    Source
    ------
    Derived here; the repetition is Megatron-Core's for fewer query groups than ranks.
    """
    return maximum(ratio(heads, tp), fewest)


@formula(r"B_\mathrm{ex}")
def exchange_bytes(phases: Count, ranks: Count, sharers: Count, payload: Bytes) -> Bytes:
    r"""Give the bytes that a GPU sends where each keeps a share of a payload and sends the others.

    .. math::

        B_\mathrm{ex} = \frac{n_\mathrm{ph} (n_\mathrm{rank} - 1) B_\mathrm{pay}}{n_\mathrm{rank}
            n_\mathrm{part}}

    Parameters
    ----------
    phases
        1 for a reduce-scatter, an all-gather or an all-to-all, 2 for an all-reduce.
    ranks
        Participants.
    sharers
        Parts of the payload, of which this exchange carries one.
    payload
        Bytes of the whole tensor; of one GPU's send buffer in an all-to-all.

    Returns
    -------
    Bytes sent, and as many received.

    Notes
    -----
    The least that point-to-point messages allow.

    Examples
    --------
    An all-reduce of 800 bytes among 8:

    >>> exchange_bytes(2, 8, 1, 800)
    1400

    Source
    ------
    nccl-tests, doc/PERFORMANCE.md; Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms",
    JPDC 69(2), 2009.
    """
    return ratio(phases * (ranks - 1) * payload, ranks * sharers)


@formula(r"n_\mathrm{msg}")
def exchange_messages(phases: Count, ranks: Count) -> Count:
    r"""Count the messages that follow one another in an exchange around a ring or along a chain.

    .. math:: n_\mathrm{msg} = n_\mathrm{ph} (n_\mathrm{rank} - 1)

    Parameters
    ----------
    phases
        1 for a reduce-scatter or an all-gather, 2 for an all-reduce.
    ranks
        Participants; for a tree its levels.

    Returns
    -------
    Messages, before any is cut into chunks.

    Notes
    -----
    A tree of n levels takes n - 1 messages up and as many down.

    Examples
    --------
    >>> exchange_messages(2, 8)
    14

    Source
    ------
    Patarasuk and Yuan, JPDC 69(2), 2009.
    """
    return phases * (ranks - 1)


@formula(r"B_\mathrm{ring,out}")
def ring_scale_out_bytes(phases: Count, members: Count, nodes: Count, payload: Bytes) -> Bytes:
    r"""Give what a GPU sends between nodes in ring collectives.

    .. math::

        B_\mathrm{ring,out} = \frac{\min(m_\mathrm{grp} - 1, 1) n_\mathrm{ph} (n_\mathrm{member}
            m_\mathrm{grp} - 1) B_\mathrm{pay}}{n_\mathrm{member}^2 m_\mathrm{grp}}

    Parameters
    ----------
    phases
        1 for a reduce-scatter or an all-gather, 2 for an all-reduce.
    members
        GPUs of the group in one node.
    nodes
        Nodes.
    payload
        Bytes of the whole tensor.

    Returns
    -------
    Bytes; none for a single node.

    Notes
    -----
    As many rings as members in a node, each with its share of the payload and leaving the node by
    another member's link, as NCCL's channels do. With one ring alone a single link of each node
    would carry everything.

    Examples
    --------
    Two nodes of 8, 1600 bytes: 3000 bytes a GPU, an eighth of them between nodes.

    >>> ring_scale_out_bytes(2, 8, 2, 1600)
    375

    Source
    ------
    nccl-tests, doc/PERFORMANCE.md for the sum; the share derived here.
    """
    crossing = minimum(nodes - 1, 1)
    return ratio(crossing * phases * (members * nodes - 1) * payload, members * members * nodes)


@formula(r"B_\mathrm{ring,up}")
def ring_scale_up_bytes(phases: Count, members: Count, nodes: Count, payload: Bytes) -> Bytes:
    r"""Give what a GPU sends inside its node in ring collectives.

    .. math::

        B_\mathrm{ring,up} = \frac{(n_\mathrm{member} - \min(m_\mathrm{grp} - 1, 1)) n_\mathrm{ph}
            (n_\mathrm{member} m_\mathrm{grp} - 1) B_\mathrm{pay}}{n_\mathrm{member}^2
            m_\mathrm{grp}}

    Parameters
    ----------
    phases
        1 for a reduce-scatter or an all-gather, 2 for an all-reduce.
    members
        GPUs of the group in one node.
    nodes
        Nodes.
    payload
        Bytes of the whole tensor.

    Returns
    -------
    Bytes.

    Notes
    -----
    Of the hops of a ring in a node, one leaves it where there are several nodes.

    Examples
    --------
    >>> ring_scale_up_bytes(2, 8, 2, 1600)
    2625

    Source
    ------
    nccl-tests, doc/PERFORMANCE.md for the sum; the share derived here.
    """
    staying = members - minimum(nodes - 1, 1)
    return ratio(staying * phases * (members * nodes - 1) * payload, members * members * nodes)


@formula(r"B_\mathrm{tree}")
def tree_scale_out_bytes(members: Count, nodes: Count, payload: Bytes) -> Bytes:
    r"""Bound what a GPU sends between nodes in an all-reduce over a double binary tree.

    .. math:: B_\mathrm{tree} = \frac{\min(m_\mathrm{grp} - 1, 2) B_\mathrm{pay}}{n_\mathrm{member}}

    Parameters
    ----------
    members
        GPUs of the group in one node, which share its traffic.
    nodes
        Nodes.
    payload
        Bytes of the whole tensor.

    Returns
    -------
    Bytes of the busiest node, divided among its GPUs.

    Notes
    -----
    A node is inside one tree (half the payload up, and down to two children) and a leaf of the
    other (half up): twice the payload. Exact from six nodes on, and for one and two; the mean over
    nodes is that of a ring.

    Examples
    --------
    >>> tree_scale_out_bytes(8, 16, 800), tree_scale_out_bytes(8, 1, 800)
    (200, 0)

    Source
    ------
    Sanders, Speck, Träff, "Two-tree algorithms for full bandwidth broadcast, reduction and scan",
    Parallel Computing 35(12), 2009; NVIDIA/nccl, src/graph/trees.cc.
    """
    return ratio(minimum(nodes - 1, 2) * payload, members)


@formula(r"B_\mathrm{sw}")
def switched_bytes(ranks: Count, sharers: Count, payload: Bytes) -> Bytes:
    r"""Give what a GPU sends in an all-reduce that switches add up.

    .. math:: B_\mathrm{sw} = \frac{\min(n_\mathrm{rank} - 1, 1) B_\mathrm{pay}}{n_\mathrm{part}}

    Parameters
    ----------
    ranks
        Participants; one sends nothing.
    sharers
        Parts of the payload, of which this reduction carries one.
    payload
        Bytes of the whole tensor.

    Returns
    -------
    Bytes sent, and as many received: each once.

    Notes
    -----
    Reduced on the way up, copied on the way down. NVLS also reads a GPU's own share through the
    switch: (n + 1) / n of this.

    Examples
    --------
    >>> switched_bytes(8, 1, 800), switched_bytes(1, 1, 800)
    (800, 0)

    Source
    ------
    Graham et al., "Scalable Hierarchical Aggregation Protocol (SHArP)", COMHPC 2016; Klenk et al.,
    ISCA 2020.
    """
    return ratio(minimum(ranks - 1, 1) * payload, sharers)


@formula(r"n_\mathrm{sw}")
def switched_messages(phases: Count, ranks: Count) -> Count:
    r"""Count the messages that follow one another where a switch reduces or copies.

    .. math:: n_\mathrm{sw} = n_\mathrm{ph} \min(n_\mathrm{rank} - 1, 1)

    Parameters
    ----------
    phases
        1 for what is sent and comes back once, 2 for a reduction and a copy apart.
    ranks
        Participants.

    Returns
    -------
    Messages; none for a group of one.

    Notes
    -----
    Independent of the number of participants.

    Examples
    --------
    >>> switched_messages(1, 8), switched_messages(1, 1)
    (1, 0)

    Source
    ------
    Graham et al., COMHPC 2016.
    """
    return phases * minimum(ranks - 1, 1)


@formula(r"n_\mathrm{p2p}")
def pipeline_sends(pp: Count, virtual_pipeline: Count) -> Count:
    r"""Count what the busiest pipeline rank sends for one micro-batch: activations and gradients.

    .. math:: n_\mathrm{p2p} = \min(P_p - 1, 1) (2 v - 2) + \min(P_p - 1, 2)

    Parameters
    ----------
    pp
        Pipeline ranks.
    virtual_pipeline
        Chunks of layers that each rank holds, dealt out in turn.

    Returns
    -------
    Sends; none without pipeline parallelism.

    Notes
    -----
    Every chunk sends an activation forward and a gradient back, but for the first and the last.
    From three ranks on the busiest has neither.

    Examples
    --------
    >>> pipeline_sends(16, 1), pipeline_sends(2, 1), pipeline_sends(4, 2), pipeline_sends(1, 1)
    (2, 1, 4, 0)

    Source
    ------
    Derived here for the schedules of arXiv:2104.04473 §2.2.
    """
    return minimum(pp - 1, 1) * (2 * virtual_pipeline - 2) + minimum(pp - 1, 2)


@formula(r"\sigma_\mathrm{pp}")
def pipeline_crossing_share(members: Count, nodes: Count) -> Ratio:
    r"""Give the share of its sends that a pipeline rank at the edge of a node sends out of it.

    .. math:: \sigma_\mathrm{pp} = \frac{\min(m_\mathrm{grp} - 1, 1)}{\min(n_\mathrm{member}, 2)}

    Parameters
    ----------
    members
        Ranks of a pipeline that share a node.
    nodes
        Nodes of a pipeline.

    Returns
    -------
    All, half (one of two neighbours), or none.

    Notes
    -----
    The edge binds the scale-out link; ranks inside a node send nothing to another.

    Examples
    --------
    >>> pipeline_crossing_share(1, 16), pipeline_crossing_share(2, 4), pipeline_crossing_share(8, 1)
    (1, 0.5, 0)

    Source
    ------
    Derived here.
    """
    return ratio(minimum(nodes - 1, 1), minimum(members, 2))


@formula(r"t_\mathrm{wire}")
def wire_time(moved: Bytes, link_bandwidth: BytesPerSecond) -> Seconds:
    r"""Bound the time of a collective by what one GPU's link carries.

    .. math:: t_\mathrm{wire} = \frac{Q}{\beta_\mathrm{dir}}

    Parameters
    ----------
    moved
        Bytes of the direction that carries more.
    link_bandwidth
        Bandwidth of the link, per direction.

    Returns
    -------
    Seconds.

    Notes
    -----
    The link is used by this collective alone and to its full bandwidth.

    Examples
    --------
    >>> wire_time(50000000, 50000000000)
    0.001

    Source
    ------
    Definition.
    """
    return ratio(moved, link_bandwidth)


@formula(r"\beta_\mathrm{alg}")
def algorithm_bandwidth(payload: Bytes, seconds: Seconds) -> BytesPerSecond:
    r"""Give the algorithm bandwidth of a collective: its size over its time.

    .. math:: \beta_\mathrm{alg} = \frac{B_\mathrm{pay}}{t_\mathrm{all}}

    Parameters
    ----------
    payload
        Bytes of the whole tensor.
    seconds
        Time of the collective.

    Returns
    -------
    Bytes per second.

    Notes
    -----
    It falls with the number of participants where the link stays the same.

    Examples
    --------
    >>> algorithm_bandwidth(800, 2)
    400

    Source
    ------
    nccl-tests, doc/PERFORMANCE.md.
    """
    return ratio(payload, seconds)


@formula(r"\beta_\mathrm{bus}")
def bus_bandwidth(phases: Count, ranks: Count, payload: Bytes, seconds: Seconds) -> BytesPerSecond:
    r"""Give the bus bandwidth of a collective: what its links must have carried.

    .. math::

        \beta_\mathrm{bus} = \frac{n_\mathrm{ph} (n_\mathrm{rank} - 1)
            B_\mathrm{pay}}{n_\mathrm{rank} t_\mathrm{all}}

    Parameters
    ----------
    phases
        2 for an all-reduce, 1 for a reduce-scatter, an all-gather or an all-to-all.
    ranks
        Participants.
    payload
        Bytes of the whole tensor.
    seconds
        Time of the collective.

    Returns
    -------
    Bytes per second, to compare with a link.

    Notes
    -----
    The algorithm bandwidth times 2 (n - 1) / n, or (n - 1) / n. A reduction in switches sends less
    than this says.

    Examples
    --------
    >>> bus_bandwidth(2, 8, 800, 2)
    700

    Source
    ------
    nccl-tests, doc/PERFORMANCE.md.
    """
    return ratio(phases * (ranks - 1) * payload, ranks * seconds)
