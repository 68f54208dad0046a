"""Whole answers, and steps of reinforcement learning: sums over a growing context, waves, weights.

The cache of an answer grows by one token in each step, and the time of a step with it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import (
    BytesPerSecond,
    Count,
    Expected,
    FractionalBytes,
    Seconds,
    Tokens,
)
from dsv3calc.numbers.ops import ceil_div, ratio


@formula(r"t_\mathrm{steps}")
def growing_steps_time(
    decode_steps: Count, first_step_seconds: Seconds, last_step_seconds: Seconds
) -> Seconds:
    r"""Give the time of decode steps whose context grows by one token each.

    .. math:: t_\mathrm{steps} = \frac{n_\mathrm{steps} (t_\mathrm{begin} + t_\mathrm{end})}{2}

    Parameters
    ----------
    decode_steps
        Steps.
    first_step_seconds, last_step_seconds
        Time of the first step and of the last one.

    Returns
    -------
    Time of all steps.

    Notes
    -----
    Exact where the time of a step is affine in the tokens of the cache.

    Examples
    --------
    Steps of 10, 11 and 12 ms:

    >>> growing_steps_time(3, 10, 12)
    33

    Source
    ------
    Derived here: the sum of an arithmetic progression.
    """
    return ratio(decode_steps * (first_step_seconds + last_step_seconds), 2)


@formula(r"T_\mathrm{mean}")
def average_context(prompt_tokens: Tokens, response_tokens: Tokens) -> Expected:
    r"""Give the tokens before a token of a response, on average over the response.

    .. math:: T_\mathrm{mean} = T_\mathrm{prompt} + \frac{T_\mathrm{resp} - 1}{2}

    Parameters
    ----------
    prompt_tokens
        Tokens of the prompt.
    response_tokens
        Tokens of the response.

    Returns
    -------
    Tokens of the prompt, and half of the response without its last token.

    Notes
    -----
    The cache of a sequence has this many tokens on average while it is decoded.

    Examples
    --------
    A reasoning answer of 16,384 tokens to a prompt of 1,024:

    >>> average_context(1024, 16384)
    9215.5

    Source
    ------
    Derived here.
    """
    return prompt_tokens + ratio(response_tokens - 1, 2)


@formula(r"n_\mathrm{wave}")
def rollout_waves(prompts: Count, samples: Count, concurrent: Count) -> Count:
    r"""Count the waves of sequences that an instance decodes one after another in a rollout.

    .. math:: n_\mathrm{wave} = \lceil N_\mathrm{prompt} n_\mathrm{resp} / N_\mathrm{conc} \rceil

    Parameters
    ----------
    prompts
        Prompts of a step of reinforcement learning.
    samples
        Responses to each prompt.
    concurrent
        Sequences that the instance decodes at once.

    Returns
    -------
    Waves; the last one may be smaller.

    Notes
    -----
    A wave begins when the one before it has ended, so that all responses use one version of
    weights.

    Examples
    --------
    32 prompts of 64 samples, 1,024 sequences at once:

    >>> rollout_waves(32, 64, 1024)
    2

    Source
    ------
    Derived here.
    """
    return ceil_div(prompts * samples, concurrent)


@formula(r"t_\mathrm{sync}", "nics > 0", "nic_bandwidth > 0")
def weight_sync_time(
    weight_bytes: FractionalBytes, nics: Count, nic_bandwidth: BytesPerSecond
) -> Seconds:
    r"""Give the time in which new weights reach an instance that generates responses.

    .. math:: t_\mathrm{sync} = \frac{B_\mathrm{w}}{n_\mathrm{nic} \beta_\mathrm{nic}}

    Parameters
    ----------
    weight_bytes
        Bytes of all weights.
    nics
        NICs of the instance.
    nic_bandwidth
        Bandwidth of a NIC, per direction.

    Returns
    -------
    Time, at least.

    Notes
    -----
    Each byte enters the instance once and is copied over its scale-up links. The trainers send as
    fast as the instance receives.

    Examples
    --------
    DeepSeek-V3 in FP8 to an instance of 144 NICs of 50 GB/s, in ms:

    >>> round(weight_sync_time(673.15e9, 144, 50e9) * 1e3, 1)
    93.5

    Source
    ------
    Derived here; the setting is that of arXiv:2505.09343 section 2.3.4.
    """
    return ratio(weight_bytes, nics * nic_bandwidth)
