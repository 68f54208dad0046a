"""Algorithms of collectives: bytes on each link, messages, and the bandwidths of a benchmark.

Bytes are those of one GPU's links in the direction that carries more.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Bytes, BytesPerSecond, Count, Seconds
from dsv3calc.numbers.ops import minimum, ratio


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
    r"""Count the messages in sequence of an exchange around a ring or along a chain.

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
    another member's link, as NCCL's channels do. With a single ring, one link of each node would
    carry everything.

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
    If there are several nodes, one hop of a ring in each node leaves the node.

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
    A node is an inner node of one tree (half the payload up, and down to two children) and a leaf
    of the other (half up): twice the payload. Exact from six nodes on, and for one and two; the
    mean over nodes is that of a ring.

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
    r"""Count the messages in sequence where all messages of a phase leave at once.

    .. math:: n_\mathrm{sw} = n_\mathrm{ph} \min(n_\mathrm{rank} - 1, 1)

    Parameters
    ----------
    phases
        1 for a dispatch or a combine, or a reduction in switches that return the sums directly; 2
        for a separate reduction and copy.
    ranks
        Participants.

    Returns
    -------
    Messages in sequence, so latencies that add up; none for a group of one.

    Notes
    -----
    Independent of the number of participants: a GPU sends to all of them, or a switch reduces or
    copies for all of them, at the same time.

    Examples
    --------
    >>> switched_messages(1, 8), switched_messages(1, 1)
    (1, 0)

    Source
    ------
    Graham et al., COMHPC 2016.
    """
    return phases * minimum(ranks - 1, 1)


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
    r"""Give the bus bandwidth of a collective: the rate that its links must have carried.

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
    The algorithm bandwidth times 2 (n - 1) / n, or (n - 1) / n, whatever the algorithm, as
    nccl-tests prints it. A reduction in switches sends less than this says; the page cited lists
    (n - 1) / (n + 1) for it.

    Examples
    --------
    >>> bus_bandwidth(2, 8, 800, 2)
    700

    Source
    ------
    nccl-tests, doc/PERFORMANCE.md.
    """
    return ratio(phases * (ranks - 1) * payload, ranks * seconds)
