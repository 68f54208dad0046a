"""Network topologies in the switch radix: fat trees, Slim Fly, Dragonfly.

Links are those between switches; an endpoint's own cable is not among them. Every port of a switch
is used as the topology has it, and a link joins two ports.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.ops import ceil_div, exact_div, floor_div, minimum, ratio
from dsv3calc.registry import formula
from dsv3calc.units import BytesPerSecond, Count, Expected, Ratio


@formula(r"N_\mathrm{tree}")
def fat_tree_endpoints(radix: Count, tiers: Count, planes: Count) -> Count:
    r"""Count the endpoints of a non-blocking fat tree, or of several such planes.

    .. math::

        N_\mathrm{tree} = 2 n_\mathrm{plane} \left( \frac{k_\mathrm{sw}}{2}
            \right)^{n_\mathrm{tier}}

    Parameters
    ----------
    radix
        Ports of a switch; even.
    tiers
        Layers of switches: 2 (leaf and spine) or 3.
    planes
        Trees side by side, each endpoint in one of them; 1 for a plain fat tree.

    Returns
    -------
    Endpoints: k²/2 with two tiers, k³/4 with three, for each plane.

    Notes
    -----
    Half of a switch's ports look up, except in the top tier: full bisection, no oversubscription.

    Examples
    --------
    Two and three tiers, and eight planes of two:

    >>> fat_tree_endpoints(64, 2, 1), fat_tree_endpoints(64, 3, 1), fat_tree_endpoints(64, 2, 8)
    (2048, 65536, 16384)

    Source
    ------
    Al-Fares, Loukissas, Vahdat, SIGCOMM 2008; arXiv:2505.09343 §5.1 and Table 3.
    """
    return 2 * planes * exact_div(radix, 2) ** tiers


@formula(r"S_\mathrm{tree}")
def fat_tree_switches(radix: Count, tiers: Count, planes: Count) -> Count:
    r"""Count the switches of a non-blocking fat tree, or of several such planes.

    .. math::

        S_\mathrm{tree} = n_\mathrm{plane} (2 n_\mathrm{tier} - 1) \left( \frac{k_\mathrm{sw}}{2}
            \right)^{n_\mathrm{tier} - 1}

    Parameters
    ----------
    radix
        Ports of a switch; even.
    tiers
        Layers of switches: 2 or 3.
    planes
        Trees side by side.

    Returns
    -------
    Switches: 3k/2 with two tiers, 5k²/4 with three, for each plane.

    Notes
    -----
    The top tier has half as many switches as each of the others.

    Examples
    --------
    >>> fat_tree_switches(64, 2, 1), fat_tree_switches(64, 3, 1), fat_tree_switches(64, 2, 8)
    (96, 5120, 768)

    Source
    ------
    Al-Fares, Loukissas, Vahdat, SIGCOMM 2008; arXiv:2505.09343 Table 3.
    """
    return planes * (2 * tiers - 1) * exact_div(radix, 2) ** (tiers - 1)


@formula(r"L_\mathrm{tree}")
def fat_tree_links(radix: Count, tiers: Count, planes: Count) -> Count:
    r"""Count the switch-to-switch links of a non-blocking fat tree, or of several such planes.

    .. math::

        L_\mathrm{tree} = 2 n_\mathrm{plane} (n_\mathrm{tier} - 1) \left( \frac{k_\mathrm{sw}}{2}
            \right)^{n_\mathrm{tier}}

    Parameters
    ----------
    radix
        Ports of a switch; even.
    tiers
        Layers of switches: 2 or 3.
    planes
        Trees side by side.

    Returns
    -------
    Links: k²/2 with two tiers, k³/2 with three, for each plane.

    Notes
    -----
    Between two tiers there are as many links as endpoints.

    Examples
    --------
    >>> fat_tree_links(64, 2, 1), fat_tree_links(64, 3, 1), fat_tree_links(64, 2, 8)
    (2048, 131072, 16384)

    Source
    ------
    Al-Fares, Loukissas, Vahdat, SIGCOMM 2008; arXiv:2505.09343 Table 3.
    """
    return 2 * planes * (tiers - 1) * exact_div(radix, 2) ** tiers


@formula(r"C_\mathrm{tree}")
def fat_tree_bisection(radix: Count, tiers: Count, planes: Count) -> Count:
    r"""Count the links that any cut of a fat tree into two halves crosses at least.

    .. math::

        C_\mathrm{tree} = n_\mathrm{plane} \left( \frac{k_\mathrm{sw}}{2} \right)^{n_\mathrm{tier}}

    Parameters
    ----------
    radix
        Ports of a switch; even.
    tiers
        Layers of switches: 2 or 3.
    planes
        Trees side by side; each of them is cut in half.

    Returns
    -------
    Links: one for every two endpoints, which is full bisection.

    Notes
    -----
    With several planes the halves are halves of the nodes: no link joins two planes, and what
    changes planes does so inside a node.

    Examples
    --------
    >>> fat_tree_bisection(64, 3, 1)
    32768

    Source
    ------
    Al-Fares, Loukissas, Vahdat, SIGCOMM 2008 (rearrangeably non-blocking).
    """
    return planes * exact_div(radix, 2) ** tiers


@formula(r"k_\mathrm{mms}")
def slim_fly_network_radix(q: Count) -> Count:
    r"""Count the ports with which a switch of a Slim Fly faces other switches.

    .. math:: k_\mathrm{mms} = q_\mathrm{sf} + 2 \lfloor (q_\mathrm{sf} + 1) / 4 \rfloor

    Parameters
    ----------
    q
        Order of the field that the graph is made from: a prime power 4w + δ with δ in -1, 0, 1.

    Returns
    -------
    Ports: the degree of the graph.

    Notes
    -----
    Equal to the (3q - δ)/2 of the literature; written so that δ need not be known.

    Examples
    --------
    >>> slim_fly_network_radix(27), slim_fly_network_radix(29)
    (41, 43)

    Source
    ------
    Besta, Hoefler, "Slim Fly", SC 2014, arXiv:1912.08968 §2; the graphs are those of McKay, Miller
    and Širáň (1998).
    """
    return q + 2 * floor_div(q + 1, 4)


@formula(r"p_\mathrm{mms}")
def slim_fly_concentration(radix: Count, network_radix: Count) -> Count:
    r"""Count the endpoints of a switch of a Slim Fly: half its network ports, if there is room.

    .. math::

        p_\mathrm{mms} = \min(\lceil k_\mathrm{net} / 2 \rceil, k_\mathrm{sw} - k_\mathrm{net})

    Parameters
    ----------
    radix
        Ports of a switch.
    network_radix
        Ports that face other switches.

    Returns
    -------
    Endpoints at each switch.

    Notes
    -----
    With half as many endpoints as network ports (rounded up) the network carries uniform traffic at
    full rate. The radix is larger than the network radix.

    Examples
    --------
    q = 29 fills a switch of 64 ports with 43 + 21:

    >>> slim_fly_concentration(64, 43)
    21

    Source
    ------
    Besta, Hoefler, "Slim Fly", SC 2014, arXiv:1912.08968 §2.
    """
    return minimum(ceil_div(network_radix, 2), radix - network_radix)


@formula(r"S_\mathrm{mms}")
def slim_fly_switches(q: Count) -> Count:
    r"""Count the switches of a Slim Fly.

    .. math:: S_\mathrm{mms} = 2 q_\mathrm{sf}^2

    Parameters
    ----------
    q
        Order of the field that the graph is made from.

    Returns
    -------
    Switches: two halves of q groups of q.

    Notes
    -----
    Exact for every q for which the graph exists.

    Examples
    --------
    The Hoffman-Singleton graph:

    >>> slim_fly_switches(5)
    50

    Source
    ------
    Besta, Hoefler, "Slim Fly", SC 2014, arXiv:1912.08968 §2.
    """
    return 2 * q**2


@formula(r"L_\mathrm{mms}")
def slim_fly_links(q: Count, network_radix: Count) -> Count:
    r"""Count the switch-to-switch links of a Slim Fly.

    .. math:: L_\mathrm{mms} = q_\mathrm{sf}^2 k_\mathrm{net}

    Parameters
    ----------
    q
        Order of the field that the graph is made from.
    network_radix
        Ports that face other switches.

    Returns
    -------
    Links: half of the network ports of all 2q² switches.

    Notes
    -----
    The graph is regular.

    Examples
    --------
    >>> slim_fly_links(29, 43)
    36163

    Source
    ------
    Besta, Hoefler, "Slim Fly", SC 2014, arXiv:1912.08968 §2; arXiv:2505.09343 Table 3.
    """
    return q**2 * network_radix


@formula(r"C_\mathrm{mms}")
def slim_fly_bisection_bound(q: Count) -> Count:
    r"""Bound the links between two halves of a Slim Fly from above, by a cut that can be drawn.

    .. math::

        C_\mathrm{mms} = q_\mathrm{sf} (\lfloor q_\mathrm{sf} / 2 \rfloor^2 + \lceil q_\mathrm{sf} /
            2 \rceil^2)

    Parameters
    ----------
    q
        Order of the field that the graph is made from.

    Returns
    -------
    Links of the cut; the bisection is at most this.

    Notes
    -----
    No closed form of the bisection is known. The cut takes half of the groups (rounded up) of one
    half of the graph and half (rounded down) of the other; two groups of different halves share q
    links. The bisection is also at least q³/2, since the second-largest eigenvalue of the graph is
    q less than its degree (tested for small q): the two bounds are q/2 apart for odd q, and meet
    for even q.

    Examples
    --------
    >>> slim_fly_bisection_bound(29), slim_fly_bisection_bound(4)
    (12209, 32)

    Source
    ------
    Derived here from the construction in arXiv:1912.08968 §2; see docs/explanation/networks.md.
    """
    return q * (floor_div(q, 2) ** 2 + ceil_div(q, 2) ** 2)


@formula(r"h_\mathrm{df}")
def dragonfly_global_ports(radix: Count) -> Count:
    r"""Count the ports with which a switch of a balanced Dragonfly faces other groups.

    .. math:: h_\mathrm{df} = \lfloor (k_\mathrm{sw} + 1) / 4 \rfloor

    Parameters
    ----------
    radix
        Ports of a switch.

    Returns
    -------
    Global ports h; the switch has as many endpoints, and its group has twice as many switches.

    Notes
    -----
    Balanced: a = 2p = 2h, which takes p + (a - 1) + h = 4h - 1 ports. What is left over stays
    empty.

    Examples
    --------
    >>> dragonfly_global_ports(64)
    16

    Source
    ------
    Kim, Dally, Scott, Abts, "Technology-Driven, Highly-Scalable Dragonfly Topology", ISCA 2008, §3.
    """
    return floor_div(radix + 1, 4)


@formula(r"g_\mathrm{df}")
def dragonfly_groups(group_switches: Count, global_ports: Count) -> Count:
    r"""Count the groups of the largest Dragonfly: each pair of them shares one global link.

    .. math:: g_\mathrm{df} = a h_\mathrm{sw} + 1

    Parameters
    ----------
    group_switches
        Switches of a group.
    global_ports
        Ports of a switch that face other groups.

    Returns
    -------
    Groups.

    Notes
    -----
    Table 3 of arXiv:2505.09343 has 511 instead of 513.

    Examples
    --------
    >>> dragonfly_groups(32, 16)
    513

    Source
    ------
    Kim, Dally, Scott, Abts, ISCA 2008, §3.
    """
    return group_switches * global_ports + 1


@formula(r"L_\mathrm{local}")
def dragonfly_local_links(group_switches: Count, switch_groups: Count) -> Count:
    r"""Count the links inside the groups of a Dragonfly.

    .. math:: L_\mathrm{local} = g_\mathrm{sw} \frac{a (a - 1)}{2}

    Parameters
    ----------
    group_switches
        Switches of a group, each joined to every other.
    switch_groups
        Groups.

    Returns
    -------
    Links between switches of one group, over all groups.

    Notes
    -----
    Groups are complete graphs.

    Examples
    --------
    >>> dragonfly_local_links(32, 513)
    254448

    Source
    ------
    Kim, Dally, Scott, Abts, ISCA 2008, §3.
    """
    return switch_groups * exact_div(group_switches * (group_switches - 1), 2)


@formula(r"L_\mathrm{global}")
def dragonfly_global_links(
    group_switches: Count, global_ports: Count, switch_groups: Count
) -> Count:
    r"""Count the links between the groups of a Dragonfly, with every global port in use.

    .. math:: L_\mathrm{global} = \lfloor a h_\mathrm{sw} g_\mathrm{sw} / 2 \rfloor

    Parameters
    ----------
    group_switches
        Switches of a group.
    global_ports
        Ports of a switch that face other groups.
    switch_groups
        Groups.

    Returns
    -------
    Links between switches of different groups.

    Notes
    -----
    With fewer groups than the largest Dragonfly has, some pairs share several links; one port stays
    empty where the number of ports is odd.

    Examples
    --------
    >>> dragonfly_global_links(32, 16, 513), dragonfly_global_links(32, 16, 511)
    (131328, 130816)

    Source
    ------
    Kim, Dally, Scott, Abts, ISCA 2008, §3; arXiv:2505.09343 Table 3.
    """
    return floor_div(group_switches * global_ports * switch_groups, 2)


@formula(r"C_\mathrm{df}")
def dragonfly_bisection(
    group_switches: Count, global_ports: Count, switch_groups: Count
) -> Expected:
    r"""Count the links between two halves of the groups of a Dragonfly.

    .. math::

        C_\mathrm{df} = \frac{\lfloor g_\mathrm{sw} / 2 \rfloor \lceil g_\mathrm{sw} / 2 \rceil a
            h_\mathrm{sw}}{g_\mathrm{sw} - 1}

    Parameters
    ----------
    group_switches
        Switches of a group.
    global_ports
        Ports of a switch that face other groups.
    switch_groups
        Groups, at least 2; of an odd number one half has one more.

    Returns
    -------
    Global links that cross.

    Notes
    -----
    The global links are spread evenly over the pairs of groups: exact for the largest Dragonfly,
    where each pair has one, and a mean otherwise. A cut that keeps groups whole: the bisection is
    at most this.

    Examples
    --------
    >>> dragonfly_bisection(32, 16, 513)
    65792

    Source
    ------
    Derived here: pairs of groups across the cut, times the links of a pair.
    """
    pairs = floor_div(switch_groups, 2) * ceil_div(switch_groups, 2)
    return ratio(pairs * group_switches * global_ports, switch_groups - 1)


@formula(r"s_\mathrm{cut}")
def bisection_share(bisection_links: Expected, endpoints: Count) -> Ratio:
    r"""Compare the links of a bisection with the endpoints of one half.

    .. math:: s_\mathrm{cut} = \frac{2 C_\mathrm{cut}}{N_\mathrm{end}}

    Parameters
    ----------
    bisection_links
        Links between two halves of the network.
    endpoints
        Endpoints of the network.

    Returns
    -------
    Share of their rate that all endpoints can send to the other half at once; 1 is full bisection.

    Notes
    -----
    All links and endpoints have one bandwidth.

    Examples
    --------
    >>> round(bisection_share(65792, 262656), 3)
    0.501

    Source
    ------
    Definition.
    """
    return ratio(2 * bisection_links, endpoints)


@formula(r"\beta_\mathrm{wire}")
def physical_bandwidth(
    logical: BytesPerSecond, domain_size: Count, endpoints: Count
) -> BytesPerSecond:
    r"""Take from a logical all-to-all bandwidth what never left the own node.

    .. math::

        \beta_\mathrm{wire} = \frac{\beta_\mathrm{log} (N_\mathrm{end} -
            n_\mathrm{dom})}{N_\mathrm{end}}

    Parameters
    ----------
    logical
        Bandwidth that counts the bytes for every destination, the own node included.
    domain_size
        Ranks of a node.
    endpoints
        Ranks that take part, over all nodes.

    Returns
    -------
    Bandwidth of the network link.

    Notes
    -----
    Destinations are spread evenly over the nodes, so that one of them in every
    ``endpoints / domain_size`` is the own one.

    Examples
    --------
    DeepEP at 64 ranks of 8 reports 51 GB/s, of which the InfiniBand link carries 44.6:

    >>> physical_bandwidth(51_000_000_000, 8, 64)
    44625000000

    Source
    ------
    README.md of deepseek-ai/DeepEP, note below the table of results ("logical bandwidth").
    """
    return ratio(logical * (endpoints - domain_size), endpoints)
