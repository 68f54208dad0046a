"""How a group of GPUs lies on nodes: members that share one, and the nodes that it spans."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count
from dsv3calc.numbers.ops import maximum, minimum, ratio


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
    Expert parallelism of 64 fills nodes of 8; pipeline stages 128 GPUs apart are never in the same
    one.

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
    2 where the whole pipeline is in one node, else 1.

    Notes
    -----
    The pair is (i, pp - 1 - i). Where a pipeline spans several nodes the outer pairs are not in the
    same one; a middle node of an odd number of nodes may hold a pair, which is ignored.

    Examples
    --------
    >>> mirrored_members(8, 8), mirrored_members(16, 1)
    (2, 1)

    Source
    ------
    Derived here; the pairs are those of deepseek-ai/DualPipe, README.md.
    """
    return 1 + maximum(0, members - pp + 1)
