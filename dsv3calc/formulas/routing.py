"""Where the experts of a token are: how many GPUs or nodes it is sent to, and the fullest one."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import Count, Expected, Tokens
from dsv3calc.numbers.ops import binomial_ratio, ratio


@formula(r"P_\mathrm{miss}", "num_experts_per_tok <= destinations * slots", result=SHARE)
def missed_chance(destinations: Count, slots: Count, num_experts_per_tok: Count) -> Expected:
    r"""Give the probability that none of a token's experts is at one given destination.

    .. math:: P_\mathrm{miss} = \frac{\binom{D m - m}{k}}{\binom{D m}{k}}

    Parameters
    ----------
    destinations
        Destinations (GPUs, nodes or expert groups) over which the experts are spread evenly.
    slots
        Experts at each of them, replicas counted.
    num_experts_per_tok
        Routed experts that serve one token.

    Returns
    -------
    Probability.

    Notes
    -----
    Every set of k experts is equally likely. With a fixed or random set of M groups, the
    destinations are those of the M groups alone.

    Examples
    --------
    DeepSeek-V3 on 8 nodes of 32 experts:

    >>> round(missed_chance(8, 32, 8), 4)
    0.3382

    Source
    ------
    Derived here: the sets that avoid the destination, over all sets (hypergeometric).
    """
    return binomial_ratio(destinations * slots - slots, destinations * slots, num_experts_per_tok)


@formula(r"P_{\mathrm{miss},M}", result=SHARE)
def missed_of_random_groups(missed: Expected, n_group: Count, topk_group: Count) -> Expected:
    r"""Give the probability of missing a destination when groups are drawn at random first.

    .. math:: P_{\mathrm{miss},M} = 1 - \frac{k_g (1 - P_\mathrm{miss})}{n_g}

    Parameters
    ----------
    missed
        Probability of missing a destination that lies in a chosen group.
    n_group, topk_group
        Groups that the experts form, and how many of them are drawn for a token.

    Returns
    -------
    Probability.

    Notes
    -----
    Each destination lies inside one group; every set of groups is equally likely. This is not the
    routing of DeepSeek-V3, which prefers groups with good experts.

    Examples
    --------
    DeepSeek-V3 on 8 nodes, which are its groups; 4 of them are drawn:

    >>> round(8 * (1 - missed_of_random_groups(missed_chance(4, 32, 8), 8, 4)), 3)
    3.629

    Source
    ------
    Derived here: a group that is not drawn is missed for certain.
    """
    return 1 - ratio(topk_group * (1 - missed), n_group)


@formula(r"D_\mathrm{hit}", result=("result >= 0", "result <= destinations"))
def distinct_destinations(destinations: Count, missed: Expected) -> Expected:
    r"""Give the expected number of different destinations of a token's experts.

    .. math:: D_\mathrm{hit} = D (1 - P_\mathrm{miss})

    Parameters
    ----------
    destinations
        GPUs or nodes of the group, the token's own included.
    missed
        Probability that a token has no expert at one of them, on average over them.

    Returns
    -------
    Expected number of distinct destinations, the token's own included where it is one.

    Notes
    -----
    Exact for any routing: the expectation is additive, whatever the dependence.

    Examples
    --------
    DeepSeek-V3 on 8 nodes without group limit, then with 4 nodes fixed at random:

    >>> round(distinct_destinations(8, missed_chance(8, 32, 8)), 3)
    5.295
    >>> round(distinct_destinations(4, missed_chance(4, 32, 8)), 3)
    3.629

    Source
    ------
    Derived here: linearity of expectation.
    """
    return destinations * (1 - missed)


@formula(r"D_\mathrm{remote}", result=("result >= 0", "result <= destinations - 1"))
def remote_destinations(distinct: Expected, destinations: Count) -> Expected:
    r"""Give the expected number of a token's destinations other than its own GPU or node.

    .. math:: D_\mathrm{remote} = \frac{D_\mathrm{hit} (D - 1)}{D}

    Parameters
    ----------
    distinct
        Expected distinct destinations, the given place included.
    destinations
        GPUs or nodes of the group; GPUs of a node where each node forwards a token.

    Returns
    -------
    Expected number of remote destinations.

    Notes
    -----
    The token is at each destination with the same probability, and its routing does not depend on
    it: its own destination is among those hit with probability D_hit/D. The same holds inside a
    node: the one copy that reaches it arrives at the GPU with the source's index, and each GPU that
    the token goes to is that GPU with probability 1/D, where D is the GPUs of the node.

    Examples
    --------
    >>> round(remote_destinations(5.295, 8), 3)
    4.633

    A token goes to 7.5 distinct GPUs in nodes of 8; the nodes forward it to so many of them:

    >>> remote_destinations(7.5, 8)
    6.5625

    Source
    ------
    Derived here; the forwarding is that of arXiv:2412.19437 §3.2.2 and arXiv:2505.09343 §4.3.
    """
    return ratio(distinct * (destinations - 1), destinations)


@formula(r"x_\mathrm{hot}", "n_routed_experts >= 2")
def hottest_rank(
    destinations: Count, n_routed_experts: Count, num_experts_per_tok: Count, tokens: Tokens
) -> Expected:
    r"""Approximate the load of the fullest destination over the mean, under uniform routing.

    .. math::

        x_\mathrm{hot} &= 1 + z_\mathrm{max} v_\mathrm{load}^{0.5} \\
        z_\mathrm{max} &= 4.91 \left( \left( \frac{8 D - 3}{8 D + 2} \right)^{0.14} - \left( 1 -
            \frac{8 D - 3}{8 D + 2} \right)^{0.14} \right) \\
        v_\mathrm{load} &= \frac{D (E - k)}{T k (E - 1)}

    Parameters
    ----------
    destinations
        GPUs over which the experts of a layer are spread evenly.
    n_routed_experts, num_experts_per_tok
        Experts of a layer, and how many of them serve one token.
    tokens
        Tokens of all GPUs of the group together.

    Returns
    -------
    Expected copies of the fullest GPU over the mean copies of a GPU: 1 is perfect balance.

    Notes
    -----
    An approximation: loads as Gaussians of hypergeometric variance and correlation -1/(D - 1); the
    expected largest of D standard normals is Blom's quantile (D - 3/8)/(D + 1/4), the normal
    quantile in Tukey's lambda form 4.91 (p^0.14 - (1 - p)^0.14): within 4% for D from 2 to 1,000.
    Compared with random draws the result is within 1% with 128 or more copies per GPU, up to 3% low
    with 32 or more, and up to 5% low with 8 or more. Exact (1) for one destination. Group limits
    add a few percent to the excess.

    Examples
    --------
    DeepSeek-V3 at EP64, 4,096 tokens per GPU:

    >>> round(hottest_rank(64, 256, 8, 64 * 4096), 4)
    1.0127

    Source
    ------
    Derived here, with Blom, Statistical Estimates and Transformed Beta-Variables (1958), and the
    lambda form of Joiner and Rosenblatt, JASA 66 (1971) 394.
    """
    position = ratio(8 * destinations - 3, 8 * destinations + 2)
    extreme = 4.91 * (position**0.14 - (1 - position) ** 0.14)
    spread = ratio(
        destinations * (n_routed_experts - num_experts_per_tok),
        tokens * num_experts_per_tok * (n_routed_experts - 1),
    )
    return 1 + extreme * spread**0.5
