"""Bubbles: the time that a pipeline rank is idle in a step, by schedule."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count, Seconds
from dsv3calc.numbers.ops import ratio


@formula(r"t_\mathrm{1f1b}")
def bubble_1f1b(pp: Count, forward_seconds: Seconds, backward_seconds: Seconds) -> Seconds:
    r"""Give the time that each rank is idle in a step of 1F1B or GPipe.

    .. math:: t_\mathrm{1f1b} = (P_p - 1) (t_\mathrm{f} + t_\mathrm{b})

    Parameters
    ----------
    pp
        Pipeline ranks.
    forward_seconds
        Forward pass of a micro-batch through one stage.
    backward_seconds
        Its backward pass.

    Returns
    -------
    Idle time.

    Notes
    -----
    Equal stages, sending for nothing; whatever the number of micro-batches.

    Examples
    --------
    Sixteen ranks, 1 s and 2 s:

    >>> bubble_1f1b(16, 1, 2)
    45

    Source
    ------
    arXiv:2412.19437 §3.2.1, table 2; arXiv:2104.04473 §2.2.1.
    """
    return (pp - 1) * (forward_seconds + backward_seconds)


@formula(r"t_\mathrm{il}")
def bubble_interleaved(
    pp: Count, virtual_pipeline: Count, forward_seconds: Seconds, backward_seconds: Seconds
) -> Seconds:
    r"""Give the time that each rank is idle in a step of interleaved 1F1B.

    .. math:: t_\mathrm{il} = \frac{(P_p - 1) (t_\mathrm{f} + t_\mathrm{b})}{v}

    Parameters
    ----------
    pp
        Pipeline ranks.
    virtual_pipeline
        Chunks that each rank holds.
    forward_seconds
        Forward pass of a micro-batch through all chunks of a rank.
    backward_seconds
        Its backward pass.

    Returns
    -------
    Idle time.

    Notes
    -----
    Equal chunks, sending for nothing, micro-batches in a multiple of pp.

    Examples
    --------
    >>> bubble_interleaved(4, 2, 2, 4)
    9

    Source
    ------
    arXiv:2104.04473 §2.2.2.
    """
    return ratio((pp - 1) * (forward_seconds + backward_seconds), virtual_pipeline)


@formula(r"t_\mathrm{zb1p}", "weight_seconds <= (forward_seconds + backward_seconds) / 2")
def bubble_zb1p(
    pp: Count, forward_seconds: Seconds, backward_seconds: Seconds, weight_seconds: Seconds
) -> Seconds:
    r"""Give the time that each rank is idle in a step of ZB1P.

    .. math:: t_\mathrm{zb1p} = (P_p - 1) (t_\mathrm{f} + t_\mathrm{b} - 2 t_\mathrm{w})

    Parameters
    ----------
    pp
        Pipeline ranks.
    forward_seconds
        Forward pass of a micro-batch through one stage.
    backward_seconds
        Its whole backward pass.
    weight_seconds
        The part of it that is for the weights.

    Returns
    -------
    Idle time.

    Notes
    -----
    Equal stages, sending for nothing, the three parts not far from equal: no weight gradient takes
    longer than the wait that it fills.

    Examples
    --------
    >>> bubble_zb1p(16, 1, 2, 1)
    15

    Source
    ------
    arXiv:2412.19437 §3.2.1, table 2; arXiv:2401.10241 §2.3.
    """
    return (pp - 1) * (forward_seconds + backward_seconds - 2 * weight_seconds)


@formula(
    r"t_\mathrm{dual}",
    "pp % 2 == 0",
    "weight_seconds <= (overlapped_pair_seconds + backward_seconds) / 3",
)
def bubble_dualpipe(
    pp: Count,
    overlapped_pair_seconds: Seconds,
    backward_seconds: Seconds,
    weight_seconds: Seconds,
) -> Seconds:
    r"""Give the time that each rank is idle in a step of DualPipe.

    .. math:: t_\mathrm{dual} = \frac{(P_p - 2) (t_{fb} + t_\mathrm{b} - 3 t_\mathrm{w})}{2}

    Parameters
    ----------
    pp
        Pipeline ranks, an even number.
    overlapped_pair_seconds
        A forward and a backward pass that overlap each other.
    backward_seconds
        A whole backward pass.
    weight_seconds
        The part of it that is for the weights.

    Returns
    -------
    Idle time.

    Notes
    -----
    Equal stages. Exact on every rank where forward, backward for inputs and backward for weights
    take equal times and a pair takes their sum; otherwise an estimate. DualPipeV on pp / 2 ranks
    has the same.

    Examples
    --------
    Eight ranks, each pass 1 s and nothing gained from overlap:

    >>> bubble_dualpipe(8, 3, 2, 1)
    6

    Source
    ------
    arXiv:2412.19437 §3.2.1, table 2; deepseek-ai/DualPipe, README.md.
    """
    return ratio((pp - 2) * (overlapped_pair_seconds + backward_seconds - 3 * weight_seconds), 2)
