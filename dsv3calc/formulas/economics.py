"""GPU time, days, dollars and energy of a training run, and the price of a network.

GPU time is in seconds: an hour of one GPU is 3,600.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import (
    Count,
    Dollars,
    DollarsPerHour,
    FlopsPerSecond,
    FlopsPerToken,
    Joules,
    Ratio,
    Seconds,
    Tokens,
    Watts,
)
from dsv3calc.numbers.ops import ratio


@formula(r"H_\mathrm{run}")
def total_gpu_time(
    pretraining_time: Seconds, extension_time: Seconds, post_training_time: Seconds
) -> Seconds:
    r"""Add up the GPU time of the stages of a training run.

    .. math:: H_\mathrm{run} = H_\mathrm{pre} + H_\mathrm{ext} + H_\mathrm{post}

    Parameters
    ----------
    pretraining_time
        GPU time of pre-training.
    extension_time
        GPU time of context extension.
    post_training_time
        GPU time of post-training.

    Returns
    -------
    GPU time.

    Notes
    -----
    Without research, ablations and failed runs, as papers count it.

    Examples
    --------
    DeepSeek-V3, in thousands of GPU hours:

    >>> total_gpu_time(2664, 119, 5)
    2788

    Source
    ------
    arXiv:2412.19437 table 1.
    """
    return pretraining_time + extension_time + post_training_time


@formula(r"H_\mathrm{train}", "achieved_rate > 0")
def training_gpu_time(
    tokens: Tokens, token_flops: FlopsPerToken, achieved_rate: FlopsPerSecond
) -> Seconds:
    r"""Give the GPU time that tokens take at an achieved rate.

    .. math:: H_\mathrm{train} = \frac{T F_T}{\pi_\mathrm{got}}

    Parameters
    ----------
    tokens
        Tokens that are trained on.
    token_flops
        FLOPs of a trained token.
    achieved_rate
        FLOP/s that a GPU achieves.

    Returns
    -------
    GPU time.

    Notes
    -----
    The rate and the FLOPs must be counted in the same way.

    Examples
    --------
    A trillion tokens of DeepSeek-V3, in GPU hours:

    >>> round(training_gpu_time(10**12, 249811304448, 385.14e12) / 3600)
    180174

    Source
    ------
    Definition.
    """
    return ratio(tokens * token_flops, achieved_rate)


@formula(r"H_\mathrm{part}")
def scaled_gpu_time(gpu_time: Seconds, total_tokens: Tokens, tokens: Tokens) -> Seconds:
    r"""Give the GPU time that a part of a run's tokens takes.

    .. math:: H_\mathrm{part} = \frac{H T}{T_\mathrm{all}}

    Parameters
    ----------
    gpu_time
        GPU time of the whole run.
    total_tokens
        Tokens of the whole run.
    tokens
        Tokens of a part.

    Returns
    -------
    GPU time of the part.

    Notes
    -----
    At the mean rate of the run.

    Examples
    --------
    A trillion of 14.8, in thousands of GPU hours:

    >>> scaled_gpu_time(2664, 14800000000000, 10**12)
    180

    Source
    ------
    arXiv:2412.19437 §1.
    """
    return ratio(gpu_time * tokens, total_tokens)


@formula(r"t_\mathrm{run}")
def elapsed_time(gpu_time: Seconds, job_gpus: Count) -> Seconds:
    r"""Give the wall-clock time of a job whose GPUs work in parallel.

    .. math:: t_\mathrm{run} = \frac{H}{G_\mathrm{job}}

    Parameters
    ----------
    gpu_time
        GPU time.
    job_gpus
        GPUs of the job.

    Returns
    -------
    Wall-clock time.

    Notes
    -----
    No interruptions.

    Examples
    --------
    180 thousand GPU hours on 2,048 GPUs, in days:

    >>> round(elapsed_time(180000, 2048) / 24, 2)
    3.66

    Source
    ------
    arXiv:2412.19437 §1.
    """
    return ratio(gpu_time, job_gpus)


@formula(r"t_\mathrm{daily}")
def time_at_daily_tokens(total_tokens: Tokens, day_tokens: Tokens) -> Seconds:
    r"""Give the time that a run takes at a given number of tokens per day.

    .. math:: t_\mathrm{daily} = \frac{86400 T_\mathrm{all}}{T_\mathrm{24h}}

    Parameters
    ----------
    total_tokens
        Tokens of the whole run.
    day_tokens
        Tokens of a day.

    Returns
    -------
    Wall-clock time.

    Notes
    -----
    No interruptions.

    Examples
    --------
    14.8 trillion tokens at 272.8 billion a day, in days:

    >>> round(time_at_daily_tokens(14800000000000, 272800000000) / 86400, 2)
    54.25

    Source
    ------
    Definition.
    """
    return ratio(86400 * total_tokens, day_tokens)


@formula(r"D_\mathrm{gpu}")
def gpu_cost(gpu_time: Seconds, dollars_per_hour: DollarsPerHour) -> Dollars:
    r"""Give the price of GPU time.

    .. math:: D_\mathrm{gpu} = \frac{H p_\mathrm{h}}{3600}

    Parameters
    ----------
    gpu_time
        GPU time.
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
    2.788 million GPU hours at $2:

    >>> gpu_cost(2788000 * 3600, 2)
    5576000

    Source
    ------
    arXiv:2412.19437 table 1.
    """
    return ratio(gpu_time * dollars_per_hour, 3600)


@formula(r"E_\mathrm{gpu}")
def gpu_energy(gpu_time: Seconds, power: Watts, pue: Ratio) -> Joules:
    r"""Give the energy of GPU time.

    .. math:: E_\mathrm{gpu} = H P_\mathrm{W} f_\mathrm{PUE}

    Parameters
    ----------
    gpu_time
        GPU time.
    power
        Power limit of one device.
    pue
        Power of a site over that of its devices.

    Returns
    -------
    Energy.

    Notes
    -----
    Devices draw their limit all the time: an upper bound of what they take. ``pue`` includes hosts,
    networks and cooling.

    Examples
    --------
    2.788 million GPU hours at 700 W, in MWh:

    >>> gpu_energy(2788000 * 3600, 700, 1) / 3.6e9
    1951.6

    Source
    ------
    Derived here.
    """
    return gpu_time * power * pue


@formula(r"D_\mathrm{end}")
def cost_per_endpoint(cost: Dollars, endpoints: Count) -> Dollars:
    r"""Give the price of a network for each of its endpoints.

    .. math:: D_\mathrm{end} = \frac{D_\mathrm{out}}{N_\mathrm{end}}

    Parameters
    ----------
    cost
        Price of a network.
    endpoints
        Its endpoints.

    Returns
    -------
    Dollars.

    Notes
    -----
    Definition.

    Examples
    --------
    A three-layer fat tree:

    >>> round(cost_per_endpoint(491 * 10**6, 65536))
    7492

    Source
    ------
    arXiv:2505.09343 table 3.
    """
    return ratio(cost, endpoints)
