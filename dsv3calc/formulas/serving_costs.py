"""What serving costs and earns: tokens, nodes and dollars of a day."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import (
    Count,
    Dollars,
    DollarsPerHour,
    Expected,
    Ratio,
    Tokens,
    TokensPerSecond,
)
from dsv3calc.numbers.ops import ratio


@formula(r"T_\mathrm{sched}")
def scheduled_tokens(
    constant_tokens: Tokens, decay_tokens: Tokens, low_tokens: Tokens, lowest_tokens: Tokens
) -> Tokens:
    r"""Add up the tokens of a learning-rate schedule.

    .. math::

        T_\mathrm{sched} = T_\mathrm{const} + T_\mathrm{decay} + T_\mathrm{low} + T_\mathrm{last}

    Parameters
    ----------
    constant_tokens
        Tokens at the highest learning rate, warm-up included.
    decay_tokens
        Tokens of the decay.
    low_tokens
        Tokens at the first constant rate after it.
    lowest_tokens
        Tokens at the last one.

    Returns
    -------
    Tokens of the run.

    Notes
    -----
    A constant rate, a decay, two constant rates.

    Examples
    --------
    DeepSeek-V3, in billions:

    >>> scheduled_tokens(10000, 4300, 333, 167)
    14800

    Source
    ------
    arXiv:2412.19437 §4.2.
    """
    return constant_tokens + decay_tokens + low_tokens + lowest_tokens


@formula(r"D_\mathrm{day}")
def fleet_daily_cost(
    fleet_nodes: Expected, gpus_per_node: Count, dollars_per_hour: DollarsPerHour
) -> Dollars:
    r"""Give the price of a fleet of nodes for a day.

    .. math:: D_\mathrm{day} = 24 N_n G_n p_\mathrm{h}

    Parameters
    ----------
    fleet_nodes
        Nodes in use, on average.
    gpus_per_node
        GPUs of a node.
    dollars_per_hour
        Price of one GPU for one hour.

    Returns
    -------
    Dollars.

    Notes
    -----
    The rent of the GPUs and nothing else.

    Examples
    --------
    226.75 nodes of eight H800 at $2:

    >>> fleet_daily_cost(226.75, 8, 2)
    87072.0

    Source
    ------
    deepseek-ai/open-infra-index, DeepSeek-V3/R1 Inference System Overview.
    """
    return 24 * fleet_nodes * gpus_per_node * dollars_per_hour


@formula(r"\eta_\mathrm{hit}", "input_tokens >= 1", result=SHARE)
def cache_hit_share(hit_tokens: Tokens, input_tokens: Tokens) -> Ratio:
    r"""Give the share of input tokens whose KV cache is found.

    .. math:: \eta_\mathrm{hit} = \frac{T_\mathrm{hit}}{T_\mathrm{in}}

    Parameters
    ----------
    hit_tokens
        Input tokens whose KV cache was found.
    input_tokens
        All input tokens.

    Returns
    -------
    Share of the input tokens.

    Notes
    -----
    The cache on disk, not that of a running request.

    Examples
    --------
    >>> cache_hit_share(342, 608)
    0.5625

    Source
    ------
    deepseek-ai/open-infra-index, DeepSeek-V3/R1 Inference System Overview.
    """
    return ratio(hit_tokens, input_tokens)


@formula(r"D_\mathrm{sold}")
def token_revenue(
    hit_tokens: Tokens,
    missed_tokens: Tokens,
    output_tokens: Tokens,
    hit_price: Dollars,
    missed_price: Dollars,
    output_price: Dollars,
) -> Dollars:
    r"""Give what tokens would sell for.

    .. math::

        D_\mathrm{sold} = \frac{T_\mathrm{hit} p_\mathrm{hit} + T_\mathrm{miss} p_\mathrm{miss} +
            T_\mathrm{out} p_\mathrm{out}}{1000000}

    Parameters
    ----------
    hit_tokens
        Input tokens whose KV cache was found.
    missed_tokens
        The other input tokens.
    output_tokens
        Output tokens.
    hit_price
        Price of a million of the first.
    missed_price
        Price of a million of the second.
    output_price
        Price of a million of the third.

    Returns
    -------
    Dollars.

    Notes
    -----
    Every token at its list price: no discounts, no free use.

    Examples
    --------
    A day of DeepSeek at the prices of R1:

    >>> round(token_revenue(342 * 10**9, 266 * 10**9, 168 * 10**9, 0.14, 0.55, 2.19))
    562100

    Source
    ------
    deepseek-ai/open-infra-index, DeepSeek-V3/R1 Inference System Overview.
    """
    return ratio(
        hit_tokens * hit_price + missed_tokens * missed_price + output_tokens * output_price, 10**6
    )


@formula(r"\eta_\mathrm{profit}", "cost > 0", result=("result >= -1",))
def profit_margin(revenue: Dollars, cost: Dollars) -> Ratio:
    r"""Give the profit over the cost.

    .. math:: \eta_\mathrm{profit} = \frac{D_\mathrm{in} - D_\mathrm{out}}{D_\mathrm{out}}

    Parameters
    ----------
    revenue
        What is sold.
    cost
        What it costs.

    Returns
    -------
    Ratio to the cost: 1 is 100 %.

    Notes
    -----
    Relative to the cost, not to the revenue.

    Examples
    --------
    >>> round(profit_margin(562027, 87072), 4)
    5.4547

    Source
    ------
    deepseek-ai/open-infra-index, DeepSeek-V3/R1 Inference System Overview.
    """
    return ratio(revenue - cost, cost)


@formula(r"v_\mathrm{node}")
def node_throughput(day_tokens: Tokens, fleet_nodes: Expected) -> TokensPerSecond:
    r"""Give the tokens per second of one node from those of a day.

    .. math:: v_\mathrm{node} = \frac{T_\mathrm{24h}}{86400 N_n}

    Parameters
    ----------
    day_tokens
        Tokens of a day.
    fleet_nodes
        Nodes that work on them, on average.

    Returns
    -------
    Tokens per second of a node.

    Notes
    -----
    The mean over all nodes.

    Examples
    --------
    >>> round(node_throughput(168 * 10**9, 131.38))
    14800

    Source
    ------
    Definition.
    """
    return ratio(day_tokens, 86400 * fleet_nodes)


@formula(r"N_\mathrm{fleet}")
def fleet_of_rates(
    input_tokens: Tokens,
    node_input_rate: TokensPerSecond,
    output_tokens: Tokens,
    node_output_rate: TokensPerSecond,
) -> Expected:
    r"""Give the nodes that a day's tokens keep busy at the rates of a node.

    .. math::

        N_\mathrm{fleet} = \frac{T_\mathrm{in} v_\mathrm{out} + T_\mathrm{out} v_\mathrm{in}}{86400
            v_\mathrm{in} v_\mathrm{out}}

    Parameters
    ----------
    input_tokens
        Input tokens of a day.
    node_input_rate
        What a prefill node takes in.
    output_tokens
        Output tokens of a day.
    node_output_rate
        What a decode node puts out.

    Returns
    -------
    Nodes, prefill and decode together.

    Notes
    -----
    Each node does one of the two.

    Examples
    --------
    >>> round(fleet_of_rates(608 * 10**9, 73700, 168 * 10**9, 14800), 2)
    226.86

    Source
    ------
    deepseek-ai/open-infra-index, DeepSeek-V3/R1 Inference System Overview; derived here.
    """
    return ratio(
        input_tokens * node_output_rate + output_tokens * node_input_rate,
        86400 * node_input_rate * node_output_rate,
    )


@formula(r"D_\mathrm{token}")
def cost_per_million_tokens(cost: Dollars, total_tokens: Tokens) -> Dollars:
    r"""Give the cost of a million tokens.

    .. math:: D_\mathrm{token} = \frac{1000000 D_\mathrm{out}}{T_\mathrm{all}}

    Parameters
    ----------
    cost
        What the tokens cost together.
    total_tokens
        The tokens.

    Returns
    -------
    Dollars for a million.

    Notes
    -----
    The mean.

    Examples
    --------
    Output tokens, decode nodes alone:

    >>> round(cost_per_million_tokens(131.38 * 8 * 2 * 24, 168 * 10**9), 3)
    0.3

    Source
    ------
    Definition.
    """
    return ratio(10**6 * cost, total_tokens)
