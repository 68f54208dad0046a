"""Fat trees as they are built: a given number of endpoints, which need not fill the switches."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count, Ratio, Seconds
from dsv3calc.numbers.ops import ceil_div, floor_div, minimum, ratio


@formula(r"d_\mathrm{leaf}")
def leaf_endpoint_ports(radix: Count, down_parts: Count, up_parts: Count) -> Count:
    r"""Count the ports of a leaf switch that face endpoints.

    .. math::

        d_\mathrm{leaf} = \lfloor k_\mathrm{sw} o_\mathrm{d} / (o_\mathrm{d} + o_\mathrm{u}) \rfloor

    Parameters
    ----------
    radix
        Ports of a switch.
    down_parts, up_parts
        The oversubscription as a ratio of two integers: 1 to 1 is none, 2 to 1 has twice as many
        ports to endpoints as to spines.

    Returns
    -------
    Ports to endpoints, rounded down: the ratio is then not exceeded.

    Notes
    -----
    The other ports face the tier above.

    Examples
    --------
    Without oversubscription half of 64 ports, with 3 to 1 three quarters:

    >>> leaf_endpoint_ports(64, 1, 1), leaf_endpoint_ports(64, 3, 1)
    (32, 48)

    Source
    ------
    Definition of oversubscription: ports down over ports up.
    """
    return floor_div(radix * down_parts, down_parts + up_parts)


@formula(r"N_\mathrm{plane}")
def plane_endpoints(endpoints: Count, planes: Count) -> Count:
    r"""Count the endpoints of the fullest plane when each endpoint is in one of them.

    .. math:: N_\mathrm{plane} = \lceil N_\mathrm{end} / n_\mathrm{plane} \rceil

    Parameters
    ----------
    endpoints
        Endpoints of the network.
    planes
        Planes over which they are spread.

    Returns
    -------
    Endpoints of a plane, rounded up.

    Notes
    -----
    A node has one NIC in each plane, so all planes are equally full.

    Examples
    --------
    >>> plane_endpoints(2048, 8)
    256

    Source
    ------
    Derived here; the multi-plane network of arXiv:2505.09343 §5.1.
    """
    return ceil_div(endpoints, planes)


@formula(r"o_\mathrm{leaf}", "leaf_ports < radix")
def oversubscription(radix: Count, leaf_ports: Count) -> Ratio:
    r"""Compare a leaf switch's ports down with its ports up.

    .. math:: o_\mathrm{leaf} = \frac{d_\mathrm{leaf}}{k_\mathrm{sw} - d_\mathrm{leaf}}

    Parameters
    ----------
    radix
        Ports of a switch.
    leaf_ports
        Ports of a leaf switch that face endpoints.

    Returns
    -------
    Ports down over ports up: the factor on the time of traffic that leaves the leaves.

    Notes
    -----
    Traffic between endpoints of one leaf is not slowed.

    Examples
    --------
    >>> oversubscription(64, 48)
    3

    Source
    ------
    Definition.
    """
    return ratio(leaf_ports, radix - leaf_ports)


@formula(r"u_\mathrm{leaf}", "leaf_ports <= radix")
def leaf_uplink_ports(radix: Count, leaf_ports: Count) -> Count:
    r"""Count the ports of a leaf switch that face the tier above.

    .. math:: u_\mathrm{leaf} = k_\mathrm{sw} - d_\mathrm{leaf}

    Parameters
    ----------
    radix
        Ports of a switch.
    leaf_ports
        Ports of a leaf switch that face endpoints.

    Returns
    -------
    Ports up: the paths of equal cost of a flow that leaves the leaf.

    Notes
    -----
    All ports are used.

    Examples
    --------
    >>> leaf_uplink_ports(64, 48)
    16

    Source
    ------
    Definition.
    """
    return radix - leaf_ports


@formula(r"N_\mathrm{leaf}")
def built_leaves(endpoints: Count, leaf_ports: Count) -> Count:
    r"""Count the leaf switches that a number of endpoints needs.

    .. math:: N_\mathrm{leaf} = \lceil N_\mathrm{end} / d_\mathrm{leaf} \rceil

    Parameters
    ----------
    endpoints
        Endpoints of one plane.
    leaf_ports
        Ports of a leaf switch that face endpoints.

    Returns
    -------
    Leaf switches; the last may be partly filled.

    Notes
    -----
    Leaves are filled one after the other.

    Examples
    --------
    2,048 GPUs whose NICs are spread over eight planes, 64-port switches:

    >>> built_leaves(2048 // 8, 32)
    8

    Source
    ------
    Derived here: every endpoint has one port of a leaf.
    """
    return ceil_div(endpoints, leaf_ports)


@formula(r"L_\mathrm{tier}", "leaf_ports <= radix")
def built_uplinks(leaves: Count, radix: Count, leaf_ports: Count) -> Count:
    r"""Count the links from leaf switches to the tier above.

    .. math::

        L_\mathrm{tier} = n_\mathrm{leaf} (k_\mathrm{sw} - d_\mathrm{leaf}) \min(n_\mathrm{leaf} -
            1, 1)

    Parameters
    ----------
    leaves
        Leaf switches.
    radix
        Ports of a switch.
    leaf_ports
        Ports of a leaf switch that face endpoints.

    Returns
    -------
    Links: all other ports of every leaf, that of a partly filled leaf included.

    Notes
    -----
    Every leaf is cabled in full, so that endpoints can be added without new cables. A single
    leaf needs no tier above it.

    Examples
    --------
    >>> built_uplinks(8, 64, 32), built_uplinks(1, 64, 32)
    (256, 0)

    Source
    ------
    Derived here.
    """
    return leaves * (radix - leaf_ports) * minimum(leaves - 1, 1)


@formula(r"N_\mathrm{spine}")
def built_spines(uplinks: Count, ports: Count) -> Count:
    r"""Count the switches of a tier that a number of links from the tier below needs.

    .. math:: N_\mathrm{spine} = \lceil L_\mathrm{up} / k_\mathrm{below} \rceil

    Parameters
    ----------
    uplinks
        Links from the tier below.
    ports
        Ports of each switch that face down: all of a spine, half of a switch in the middle.

    Returns
    -------
    Switches of the tier.

    Notes
    -----
    Links are spread evenly over the switches.

    Examples
    --------
    The spines of one plane of 256 endpoints, and so 96 switches in eight planes of 8 + 4:

    >>> built_spines(256, 64)
    4

    Source
    ------
    Derived here.
    """
    return ceil_div(uplinks, ports)


@formula(r"N_\mathrm{reach}", "leaf_ports <= radix", "tiers >= 2")
def fabric_reach(radix: Count, leaf_ports: Count, tiers: Count, spread_planes: Count) -> Count:
    r"""Count the most endpoints that a fat tree of given switches can have.

    .. math::

        N_\mathrm{reach} = n_\mathrm{spread} d_\mathrm{leaf} k_\mathrm{sw} \lfloor k_\mathrm{sw} / 2
            \rfloor^{n_\mathrm{tier} - 2}

    Parameters
    ----------
    radix
        Ports of a switch; even.
    leaf_ports
        Ports of a leaf switch that face endpoints.
    tiers
        Tiers of switches, 2 or 3.
    spread_planes
        Planes over which endpoints are spread, each in one; 1 where each is in every plane.

    Returns
    -------
    Endpoints: a spine reaches as many leaves as it has ports.

    Notes
    -----
    ``leaf_ports`` is half of the radix where nothing is oversubscribed.

    Examples
    --------
    Two tiers of 64 ports; planes of 128 ports for NICs with a port in every plane:

    >>> fabric_reach(64, 32, 2, 1), fabric_reach(64, 32, 2, 8), fabric_reach(256, 128, 2, 1)
    (2048, 16384, 32768)

    Source
    ------
    Al-Fares, Loukissas, Vahdat, SIGCOMM 2008, with leaves of any oversubscription.
    """
    return spread_planes * leaf_ports * radix * floor_div(radix, 2) ** (tiers - 2)


@formula(r"f_\mathrm{plane}", "planes_down < planes")
def lost_plane_factor(planes: Count, planes_down: Count) -> Ratio:
    r"""Return how much longer a transfer takes when planes, or ports of a NIC, are down.

    .. math:: f_\mathrm{plane} = \frac{n_\mathrm{plane}}{n_\mathrm{plane} - n_\mathrm{down}}

    Parameters
    ----------
    planes
        Planes, or ports of a NIC.
    planes_down
        Those that are down.

    Returns
    -------
    Factor on the time of bytes; the latency of a message is not changed.

    Notes
    -----
    The bytes are spread evenly over the planes that are left, as multi-port NICs do and as nodes
    do that forward over NVLink to a NIC of another plane.

    Examples
    --------
    >>> lost_plane_factor(8, 1)
    1.1428571428571428

    Source
    ------
    Derived here; the multi-plane network of arXiv:2505.09343 §5.1.1.
    """
    return ratio(planes, planes - planes_down)


@formula(r"s_\mathrm{ecmp}")
def ecmp_mean_share(flows: Count, paths: Count) -> Ratio:
    r"""Return the share of its rate that a flow gets on average when a hash chooses its path.

    .. math::

        s_\mathrm{ecmp} = \frac{m_\mathrm{path}}{n_\mathrm{flow}} \left( 1 - \left(
            \frac{m_\mathrm{path} - 1}{m_\mathrm{path}} \right)^{n_\mathrm{flow}} \right)

    Parameters
    ----------
    flows
        Flows, each of which could fill one path.
    paths
        Paths of equal cost.

    Returns
    -------
    Expected bandwidth of all flows over the bandwidth that they could use.

    Notes
    -----
    Each flow chooses a path uniformly and independently of the others. A path that no flow chose
    is idle, and the flows of one path share it. Packets sprayed over all paths get
    ``min(1, paths / flows)``.

    Examples
    --------
    Eight flows on eight paths, which sprayed packets would fill:

    >>> round(ecmp_mean_share(8, 8), 4)
    0.6564

    Source
    ------
    Derived here: a path is idle with probability (1 - 1/m)^n; arXiv:2505.09343 §5.2.2.
    """
    return ratio(paths, flows) * (1 - ratio(paths - 1, paths) ** flows)


@formula(r"t_\mathrm{net}", "latency_cross_leaf >= latency_same_leaf")
def hops_latency(latency_same_leaf: Seconds, latency_cross_leaf: Seconds, hops: Count) -> Seconds:
    r"""Give the latency of a small message from the number of links between switches on its path.

    .. math::

        t_\mathrm{net} = t_\mathrm{leaf} + \frac{n_\mathrm{hop} (t_\mathrm{cross} -
            t_\mathrm{leaf})}{2}

    Parameters
    ----------
    latency_same_leaf, latency_cross_leaf
        Latency of a small message below one leaf switch, and between leaf switches.
    hops
        Links between switches on the path.

    Returns
    -------
    Latency, end to end.

    Notes
    -----
    A message between leaf switches of two tiers passes two links between switches, and each further
    link with its switch takes as long. Switches are idle.

    Examples
    --------
    InfiniBand over three tiers, 2.8 us and 0.45 us for each of four hops:

    >>> round(hops_latency(2.8, 3.7, 4), 2)
    4.6

    Source
    ------
    Derived here; the latencies are those of arXiv:2505.09343 Table 5.
    """
    return latency_same_leaf + ratio(hops * (latency_cross_leaf - latency_same_leaf), 2)
