"""Rates of a training run: tokens of a day, FLOP/s of a GPU, and shares of a peak."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import (
    Count,
    FlopsPerSecond,
    FlopsPerToken,
    Ratio,
    Seconds,
    Tokens,
)
from dsv3calc.numbers.ops import ratio


@formula(r"t_\mathrm{phases}")
def phases_time(
    forward_phase: Seconds,
    backward_phase: Seconds,
    weight_phase: Seconds,
    paired_phase: Seconds,
    bubble_phase: Seconds,
    optimizer_phase: Seconds,
) -> Seconds:
    r"""Add up what a pipeline rank does in a training step.

    .. math::

        t_\mathrm{phases} = t_\mathrm{1F} + t_\mathrm{1B} + t_\mathrm{1W} + t_\mathrm{1F1B} +
            t_\mathrm{idle} + t_\mathrm{opt}

    Parameters
    ----------
    forward_phase
        Forward passes that no backward pass overlaps.
    backward_phase
        Backward passes that no forward pass overlaps.
    weight_phase
        Gradients of weights on their own.
    paired_phase
        Forward and backward passes that overlap.
    bubble_phase
        Time that the rank is idle.
    optimizer_phase
        The optimizer's step.

    Returns
    -------
    Time of the step.

    Notes
    -----
    The phases follow each other.

    Examples
    --------
    The step of DeepSeek-V3 on 2,048 GPUs of a multi-plane network:

    >>> round(phases_time(1.13, 1.99, 0.48, 13.95, 2.06, 0.29), 2)
    19.9

    Source
    ------
    arXiv:2505.09343 table 4.
    """
    return (
        forward_phase
        + backward_phase
        + weight_phase
        + paired_phase
        + bubble_phase
        + optimizer_phase
    )


@formula(r"T_\mathrm{day}")
def tokens_per_day(tokens: Tokens, step_seconds: Seconds) -> Tokens:
    r"""Count the tokens that a run of equal steps takes in a day.

    .. math:: T_\mathrm{day} = \frac{86400 T}{t_\mathrm{step}}

    Parameters
    ----------
    tokens
        Tokens of a step.
    step_seconds
        Time of a step.

    Returns
    -------
    Tokens, in 86,400 s.

    Notes
    -----
    No interruptions.

    Examples
    --------
    15,360 sequences of 4,096 tokens every 19.926 s:

    >>> round(tokens_per_day(15360 * 4096, 19.926) / 1e9, 2)
    272.8

    Source
    ------
    arXiv:2505.09343 table 4.
    """
    return ratio(86400 * tokens, step_seconds)


@formula(r"\pi_\mathrm{train}")
def training_rate(
    token_flops: FlopsPerToken, tokens: Tokens, step_seconds: Seconds, job_gpus: Count
) -> FlopsPerSecond:
    r"""Give the FLOP/s that each GPU of a training job achieves.

    .. math:: \pi_\mathrm{train} = \frac{F_T T}{t_\mathrm{step} G_\mathrm{job}}

    Parameters
    ----------
    token_flops
        FLOPs of a trained token.
    tokens
        Tokens of a step.
    step_seconds
        Time of a step.
    job_gpus
        GPUs of the job.

    Returns
    -------
    FLOP/s of one GPU.

    Notes
    -----
    As many FLOPs as the convention behind ``token_flops`` counts: causal or full attention, router
    in or out.

    Examples
    --------
    DeepSeek-V3, causal attention:

    >>> round(training_rate(249811304448, 15360 * 4096, 19.926, 2048) / 1e12, 1)
    385.1

    Source
    ------
    arXiv:2505.09343 table 4.
    """
    return ratio(token_flops * tokens, step_seconds * job_gpus)


@formula(
    r"\eta_\mathrm{mfu}", "token_flops <= step_seconds * job_gpus * peak / tokens", result=SHARE
)
def model_flops_utilisation(
    token_flops: FlopsPerToken,
    tokens: Tokens,
    step_seconds: Seconds,
    job_gpus: Count,
    peak: FlopsPerSecond,
) -> Ratio:
    r"""Give the share of the peak that a training job achieves (MFU).

    .. math:: \eta_\mathrm{mfu} = \frac{F_T T}{t_\mathrm{step} G_\mathrm{job} \pi}

    Parameters
    ----------
    token_flops
        FLOPs of a trained token.
    tokens
        Tokens of a step.
    step_seconds
        Time of a step.
    job_gpus
        GPUs of the job.
    peak
        Dense peak of one GPU.

    Returns
    -------
    Share of the peak.

    Notes
    -----
    Recomputed activations do not count. Papers take the BF16 peak also where matrices are FP8.

    Examples
    --------
    DeepSeek-V3, causal attention, 989 TFLOP/s:

    >>> round(model_flops_utilisation(249811304448, 15360 * 4096, 19.926, 2048, 989e12), 4)
    0.3894

    Source
    ------
    arXiv:2204.02311 appendix B; arXiv:2505.09343 table 4.
    """
    return ratio(token_flops * tokens, step_seconds * job_gpus * peak)


@formula(r"\eta_\mathrm{peak}", "achieved_rate <= peak", result=SHARE)
def share_of_peak(achieved_rate: FlopsPerSecond, peak: FlopsPerSecond) -> Ratio:
    r"""Give the share of a peak that is achieved.

    .. math:: \eta_\mathrm{peak} = \frac{\pi_\mathrm{got}}{\pi}

    Parameters
    ----------
    achieved_rate
        FLOP/s of a kernel or a job.
    peak
        Dense peak of one device.

    Returns
    -------
    Share of the peak.

    Notes
    -----
    Both are for one data type.

    Examples
    --------
    FlashMLA's dense decoding, against 989 TFLOP/s:

    >>> round(share_of_peak(660e12, 989e12), 3)
    0.667

    Source
    ------
    Definition.
    """
    return ratio(achieved_rate, peak)


@formula(r"\rho_\mathrm{peak}")
def peak_ratio(achieved_peak: FlopsPerSecond, peak: FlopsPerSecond) -> Ratio:
    r"""Compare the peaks of a device for two data types.

    .. math:: \rho_\mathrm{peak} = \frac{\pi_\mathrm{fast}}{\pi}

    Parameters
    ----------
    achieved_peak
        Dense peak for the narrower data type.
    peak
        Dense peak for the wider one.

    Returns
    -------
    How many times as fast.

    Notes
    -----
    What computation alone could gain.

    Examples
    --------
    FP8 and BF16 on an H800:

    >>> peak_ratio(1978000000000000, 989000000000000)
    2

    Source
    ------
    Definition.
    """
    return ratio(achieved_peak, peak)
