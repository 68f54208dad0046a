"""Slim Fly, the graphs of McKay, Miller and Širáň: radix, size, links, bisection."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count
from dsv3calc.numbers.ops import ceil_div, floor_div, minimum


@formula(r"k_\mathrm{mms}")
def slim_fly_network_radix(q: Count) -> Count:
    r"""Count the ports to other switches of a switch in a Slim Fly.

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
    r"""Bound the links between two halves of a Slim Fly from above, by one explicit cut.

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
