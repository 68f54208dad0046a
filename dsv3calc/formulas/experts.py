"""Routed experts: how many a token or a batch uses."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count, Elements, Expected, Tokens
from dsv3calc.numbers.ops import exact_div, ratio


@formula(r"d_s")
def shared_expert_width(n_shared_experts: Count, moe_intermediate_size: Elements) -> Elements:
    r"""Give the width of the shared experts, which run as one feed-forward.

    .. math:: d_s = E_s d_e

    Parameters
    ----------
    n_shared_experts
        Shared experts of a layer.
    moe_intermediate_size
        Width of one expert.

    Returns
    -------
    Width of the feed-forward that holds them all.

    Notes
    -----
    Every token passes through all shared experts.

    Examples
    --------
    DeepSeek-V2 has two of 1536:

    >>> shared_expert_width(2, 1536)
    3072

    Source
    ------
    arXiv:2401.06066 §3.2.
    """
    return n_shared_experts * moe_intermediate_size


@formula(r"N_\mathrm{inactive}", "elements * num_experts_per_tok % n_routed_experts == 0")
def inactive_expert_elements(
    elements: Elements, n_routed_experts: Count, num_experts_per_tok: Count
) -> Elements:
    r"""Count the elements of the routed experts that a token does not pass through.

    .. math:: N_\mathrm{inactive} = \frac{N (E - k)}{E}

    Parameters
    ----------
    elements
        Elements of all routed experts together.
    n_routed_experts, num_experts_per_tok
        Experts of a layer, and how many of them serve one token.

    Returns
    -------
    Elements that one token does not use.

    Notes
    -----
    Experts of a layer are of one size, so the share is exact.

    Examples
    --------
    DeepSeek-V3:

    >>> inactive_expert_elements(653908770816, 256, 8)
    633474121728

    Source
    ------
    arXiv:2412.19437 §2.1.2.
    """
    return exact_div(elements * (n_routed_experts - num_experts_per_tok), n_routed_experts)


@formula(r"k_\mathrm{real}")
def expected_real_choices(
    num_experts_per_tok: Count, n_routed_experts: Count, zero_expert_num: Count
) -> Expected:
    r"""Give the expected number of a token's choices that are experts with weights.

    .. math:: k_\mathrm{real} = \frac{k E}{E + E_0}

    Parameters
    ----------
    num_experts_per_tok
        Choices of a token.
    n_routed_experts, zero_expert_num
        Experts with weights, and zero-computation experts that return the token as it is.

    Returns
    -------
    Expected experts with weights that serve one token.

    Notes
    -----
    Every choice is equally likely: uniform routing. A trained router may choose otherwise; the
    papers' averages are measured.

    Examples
    --------
    LongCat-Flash chooses 12 of 512 experts and 256 zero-computation ones:

    >>> expected_real_choices(12, 512, 256)
    8

    Source
    ------
    Derived here: the mean of a hypergeometric distribution. arXiv:2509.01322 §2.1 has such experts.
    """
    return ratio(num_experts_per_tok * n_routed_experts, n_routed_experts + zero_expert_num)


@formula(r"N_\mathrm{idle}")
def expected_inactive_elements(
    elements: Elements,
    num_experts_per_tok: Count,
    n_routed_experts: Count,
    zero_expert_num: Count,
) -> Expected:
    r"""Give the expected elements that a token does not use, with zero-computation experts.

    .. math:: N_\mathrm{idle} = \frac{N (E + E_0 - k)}{E + E_0}

    Parameters
    ----------
    elements
        Elements of all routed experts together.
    num_experts_per_tok
        Choices of a token.
    n_routed_experts, zero_expert_num
        Experts with weights, and zero-computation experts that return the token as it is.

    Returns
    -------
    Expected elements, under uniform routing.

    Notes
    -----
    As :func:`inactive_expert_elements`, where a choice is an expert with weights with probability E
    / (E + E_0).

    Examples
    --------
    One layer of LongCat-Flash, 512 experts of 37,748,736 elements:

    >>> expected_inactive_elements(512 * 37748736, 12, 512, 256)
    19025362944

    Source
    ------
    Derived here.
    """
    choices = n_routed_experts + zero_expert_num
    return ratio(elements * (choices - num_experts_per_tok), choices)


@formula(r"E_\mathrm{hit}", result=("result >= 0", "result <= n_routed_experts"))
def expected_distinct_experts(
    n_routed_experts: Count, num_experts_per_tok: Count, tokens: Tokens
) -> Expected:
    r"""Give the expected number of different experts that a batch of tokens uses in one layer.

    .. math:: E_\mathrm{hit} = E \left( 1 - \left( 1 - \frac{k}{E} \right)^T \right)

    Parameters
    ----------
    n_routed_experts, num_experts_per_tok
        Experts of a layer, and how many of them serve one token.
    tokens
        Tokens of the batch.

    Returns
    -------
    Expected number of experts that at least one token is sent to.

    Notes
    -----
    Tokens choose independently and every set of experts is equally likely: balanced routing. Group
    limits leave it unchanged, since each expert is still chosen with probability k/E. Correlated
    tokens use fewer.

    Examples
    --------
    32 tokens of DeepSeek-V3 reach 163 of 256 experts:

    >>> round(expected_distinct_experts(256, 8, 32), 2)
    163.31

    Source
    ------
    Derived here: an expert is missed by one token with probability 1 - k/E, by T tokens with the
    T-th power of that.
    """
    return n_routed_experts * (1 - (1 - ratio(num_experts_per_tok, n_routed_experts)) ** tokens)


@formula(r"N_\mathrm{hit}")
def expected_expert_share(elements: Elements, hit: Expected, n_routed_experts: Count) -> Expected:
    r"""Take the share of the routed experts' bytes or elements that a batch touches.

    .. math:: N_\mathrm{hit} = \frac{N E_\mathrm{hit}}{E}

    Parameters
    ----------
    elements
        Bytes or elements of all routed experts.
    hit
        Expected number of distinct experts of a layer that are hit.
    n_routed_experts
        Experts of a layer.

    Returns
    -------
    Expected amount, in the unit of ``elements``.

    Notes
    -----
    Experts are of one size.

    Examples
    --------
    >>> expected_expert_share(1024, 128.0, 256)
    512.0

    Source
    ------
    Derived here.
    """
    return ratio(elements * hit, n_routed_experts)
