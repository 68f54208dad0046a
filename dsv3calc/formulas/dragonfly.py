"""Dragonfly, groups of switches all joined to each other: size, links, bisection."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count, Expected
from dsv3calc.numbers.ops import ceil_div, exact_div, floor_div, ratio


@formula(r"h_\mathrm{df}")
def dragonfly_global_ports(radix: Count) -> Count:
    r"""Count the ports to other groups of a switch in a balanced Dragonfly.

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
    Balanced: a = 2p = 2h, which takes p + (a - 1) + h = 4h - 1 ports. Ports that are left over stay
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
    The counts of Table 3 of arXiv:2505.09343 are those of 511 groups instead of 513.

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


@formula(r"L_\mathrm{global}", "switch_groups <= group_switches * global_ports + 1")
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


@formula(
    r"C_\mathrm{df}", "switch_groups >= 2", "switch_groups <= group_switches * global_ports + 1"
)
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
        Groups, at least 2; if the number is odd, one half has one more.

    Returns
    -------
    Global links that cross.

    Notes
    -----
    The global links are spread evenly over the pairs of groups: exact for the largest Dragonfly,
    where each pair has one, and a mean otherwise. The cut does not divide a group, so the bisection
    is at most this.

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
