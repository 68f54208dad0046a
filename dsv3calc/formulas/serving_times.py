"""Serving in seconds and dollars: tokens a step, two half batches, interference, GPUs by task."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import (
    Count,
    Dollars,
    DollarsPerHour,
    Expected,
    Ratio,
    Seconds,
    Tokens,
    TokensPerSecond,
)
from dsv3calc.numbers.ops import ceil_div, floor_div, maximum, ratio


@formula(r"n_\mathrm{acc}", "acceptance < 1", result=("result >= 1",))
def accepted_tokens(acceptance: Ratio, draft_tokens: Count) -> Expected:
    r"""Give the tokens that a sequence gains in a step of speculative decoding.

    .. math:: n_\mathrm{acc} = \frac{1 - p^{k_\mathrm{draft} + 1}}{1 - p}

    Parameters
    ----------
    acceptance
        Probability that a drafted token is accepted if all before it were.
    draft_tokens
        Tokens that are drafted for each step.

    Returns
    -------
    Expected tokens of a step.

    Notes
    -----
    Drafted tokens are accepted up to the first that is not, with the same probability each; the
    model gives one more token. The acceptance is below 1.

    Examples
    --------
    >>> accepted_tokens(0.85, 1)
    1.85

    Source
    ------
    arXiv:2211.17192, equation 1.
    """
    return ratio(1 - acceptance ** (draft_tokens + 1), 1 - acceptance)


@formula(r"B_\mathrm{half}")
def larger_half(batch: Count) -> Count:
    r"""Give the sequences of the larger half of a batch.

    .. math:: B_\mathrm{half} = \lceil B / 2 \rceil

    Parameters
    ----------
    batch
        Sequences of the whole batch.

    Returns
    -------
    Sequences.

    Notes
    -----
    Both halves are taken to be as slow as the larger one.

    Examples
    --------
    >>> larger_half(129)
    65

    Source
    ------
    Definition.
    """
    return ceil_div(batch, 2)


@formula(r"t_\mathrm{two}")
def two_batch_time(half_kernel_seconds: Seconds, half_exchange_seconds: Seconds) -> Seconds:
    r"""Give the time of a pass whose two half batches take turns at computing and sending.

    .. math:: t_\mathrm{two} = 2 \max(t_\mathrm{half}, t_\mathrm{half,comm})

    Parameters
    ----------
    half_kernel_seconds
        Kernels of a half batch.
    half_exchange_seconds
        Exchanges of a half batch.

    Returns
    -------
    Seconds for the whole batch.

    Notes
    -----
    While one half computes the other one sends, and neither slows the other down. This is a lower
    bound for real schedules of two half batches.

    Examples
    --------
    >>> two_batch_time(24, 16)
    48

    Source
    ------
    arXiv:2412.19437 §3.4.2; derived here.
    """
    return 2 * maximum(half_kernel_seconds, half_exchange_seconds)


@formula(r"T_\mathrm{found}")
def cached_prompt_tokens(prompt_tokens: Tokens, hit_rate: Ratio) -> Tokens:
    r"""Give the tokens of a prompt that prefill finds in the cache.

    .. math:: T_\mathrm{found} = \lfloor T_\mathrm{prompt} h_\mathrm{hit} / 1 \rfloor

    Parameters
    ----------
    prompt_tokens
        Tokens of the prompt.
    hit_rate
        Share of them that is found.

    Returns
    -------
    Tokens, rounded down.

    Notes
    -----
    What is found is the beginning of the prompt; the rest attends to it.

    Examples
    --------
    >>> cached_prompt_tokens(608, 0.5625)
    342

    Source
    ------
    Definition.
    """
    return floor_div(prompt_tokens * hit_rate, 1)


@formula(r"D_\mathrm{mt}", "gpu_rate > 0")
def million_token_cost(dollars_per_hour: DollarsPerHour, gpu_rate: TokensPerSecond) -> Dollars:
    r"""Give the price of the GPU time of a million tokens.

    .. math:: D_\mathrm{mt} = \frac{1000000 p_\mathrm{h}}{3600 v_\mathrm{gpu}}

    Parameters
    ----------
    dollars_per_hour
        Price of one GPU for one hour.
    gpu_rate
        Tokens per second of one GPU.

    Returns
    -------
    Dollars for a million tokens.

    Notes
    -----
    The rent of GPUs that are never idle, and nothing else.

    Examples
    --------
    1,850 tokens per second of an H800 at $2:

    >>> round(million_token_cost(2, 1850), 4)
    0.3003

    Source
    ------
    Definition.
    """
    return ratio(10**6 * dollars_per_hour, 3600 * gpu_rate)


@formula(r"r_\mathrm{pd}", "prefill_rate > 0", "decode_rate > 0", "response_tokens >= 1")
def prefill_gpus_per_decode_gpu(
    prompt_tokens: Tokens,
    hit_rate: Ratio,
    prefill_rate: TokensPerSecond,
    response_tokens: Tokens,
    decode_rate: TokensPerSecond,
) -> Ratio:
    r"""Give the prefill GPUs that keep one decode GPU busy.

    .. math::

        r_\mathrm{pd} = \frac{T_\mathrm{prompt} (1 - h_\mathrm{hit}) v_\mathrm{dec}}{v_\mathrm{pre}
            T_\mathrm{resp}}

    Parameters
    ----------
    prompt_tokens
        Tokens of a prompt.
    hit_rate
        Share of them that is found in the cache.
    prefill_rate
        Tokens per second that a prefill GPU computes.
    response_tokens
        Tokens of a response.
    decode_rate
        Tokens per second that a decode GPU puts out.

    Returns
    -------
    GPUs for prefill over GPUs for decoding.

    Notes
    -----
    Every request passes both; arrivals are steady.

    Examples
    --------
    Day averages of DeepSeek, in billions of tokens and at the rates of nodes:

    >>> round(prefill_gpus_per_decode_gpu(608, 0.5625, 32244, 168, 14800), 3)
    0.727

    Source
    ------
    Derived here.
    """
    return ratio(prompt_tokens * (1 - hit_rate) * decode_rate, prefill_rate * response_tokens)


@formula(r"t_\mathrm{inter}", "response_tokens >= 1")
def prefill_interference(
    batch: Count,
    prompt_tokens: Tokens,
    hit_rate: Ratio,
    response_tokens: Tokens,
    token_seconds: Seconds,
) -> Seconds:
    r"""Give the prefill time of a replica between two decode steps.

    .. math::

        t_\mathrm{inter} = \frac{B T_\mathrm{prompt} (1 - h_\mathrm{hit})
            t_\mathrm{pre,tok}}{T_\mathrm{resp}}

    Parameters
    ----------
    batch
        Sequences that the replica decodes.
    prompt_tokens
        Tokens of a prompt.
    hit_rate
        Share of them that is found in the cache.
    response_tokens
        Decode steps of a response.
    token_seconds
        Prefill time of the replica for one token.

    Returns
    -------
    Seconds for each decode step, on average.

    Notes
    -----
    Each response that ends is followed by a prompt, so that the batch stays full.

    Examples
    --------
    >>> prefill_interference(64, 1000, 0, 500, 0.0001)
    0.0128

    Source
    ------
    Derived here.
    """
    return ratio(batch * prompt_tokens * (1 - hit_rate) * token_seconds, response_tokens)
