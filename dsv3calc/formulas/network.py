"""What all networks have: the share of full bisection, and the bandwidth that leaves the node."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import BytesPerSecond, Count, Expected, Ratio
from dsv3calc.numbers.ops import ratio


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


@formula(r"\beta_\mathrm{wire}", "domain_size <= endpoints")
def physical_bandwidth(
    logical: BytesPerSecond, domain_size: Count, endpoints: Count
) -> BytesPerSecond:
    r"""Subtract from a logical all-to-all bandwidth the part that stays in the own node.

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
