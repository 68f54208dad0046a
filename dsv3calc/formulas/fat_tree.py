"""Fat trees of two and three layers, one or several planes: size, links, bisection."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count
from dsv3calc.numbers.ops import exact_div


@formula(r"N_\mathrm{tree}", "radix % 2 == 0")
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
    Half of a switch's ports face up, except in the top tier: full bisection, no oversubscription.

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


@formula(r"S_\mathrm{tree}", "radix % 2 == 0")
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


@formula(r"L_\mathrm{tree}", "radix % 2 == 0")
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


@formula(r"C_\mathrm{tree}", "radix % 2 == 0")
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
    With several planes the halves are halves of the nodes: no link connects two planes, and
    cross-plane traffic is forwarded inside a node.

    Examples
    --------
    >>> fat_tree_bisection(64, 3, 1)
    32768

    Source
    ------
    Al-Fares, Loukissas, Vahdat, SIGCOMM 2008 (rearrangeably non-blocking).
    """
    return planes * exact_div(radix, 2) ** tiers
