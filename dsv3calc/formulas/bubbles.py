"""Bubbles: the time that a pipeline rank is idle in a step, by schedule."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count, Seconds
from dsv3calc.numbers.ops import maximum, ratio


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
    Equal stages, and sends that take no time. Does not depend on the number of micro-batches.

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
    Equal chunks, sends that take no time, and a multiple of pp micro-batches.

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
    Equal stages, sends that take no time, and three parts of similar length: no weight gradient
    takes longer than the wait that it fills.

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
    take equal times and a pair takes their sum; an upper bound where a backward pass for inputs
    takes the longest of the three and one for weights the shortest.

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


@formula(
    r"t_\mathrm{dualv}",
    "weight_seconds <= (overlapped_pair_seconds + backward_seconds) / 3",
)
def bubble_dualpipev(
    pp: Count,
    overlapped_pair_seconds: Seconds,
    backward_seconds: Seconds,
    weight_seconds: Seconds,
) -> Seconds:
    r"""Give the time that each rank is idle in a step of DualPipeV.

    .. math:: t_\mathrm{dualv} = \frac{(P_p - 1) (t_{fb} + t_\mathrm{b} - 3 t_\mathrm{w})}{2}

    Parameters
    ----------
    pp
        Pipeline ranks.
    overlapped_pair_seconds
        Forward and backward passes of a micro-batch through both chunks of a rank, overlapped.
    backward_seconds
        Its whole backward pass through both chunks.
    weight_seconds
        The part of it that is for the weights.

    Returns
    -------
    Idle time.

    Notes
    -----
    Equal chunks, and sends that take no time. Exact where forward, backward for inputs and backward
    for weights take equal times; an upper bound where a backward pass for inputs takes the longest
    of the three and one for weights the shortest.

    Examples
    --------
    Four ranks, each pass of a chunk 1 s and nothing gained from overlap:

    >>> bubble_dualpipev(4, 6, 4, 2)
    6

    Source
    ------
    deepseek-ai/DualPipe, README.md, with 2 pp stages on pp ranks.
    """
    return ratio((pp - 1) * (overlapped_pair_seconds + backward_seconds - 3 * weight_seconds), 2)


@formula(r"t_\mathrm{zbv}", "weight_seconds <= backward_seconds / 2")
def bubble_zbv(pp: Count, backward_seconds: Seconds, weight_seconds: Seconds) -> Seconds:
    r"""Give the time that each rank is idle in a step of ZB-V.

    .. math::

        t_\mathrm{zbv} = \frac{(P_p - 1) \max(t_\mathrm{b} - t_\mathrm{w}, 2 (t_\mathrm{b} -
            t_\mathrm{w} - t_\mathrm{w}))}{2}

    Parameters
    ----------
    pp
        Pipeline ranks.
    backward_seconds
        Whole backward pass of a micro-batch through both chunks of a rank.
    weight_seconds
        The part of it that is for the weights.

    Returns
    -------
    Idle time.

    Notes
    -----
    Equal chunks, and sends that take no time. Exact where a forward pass takes no longer than the
    backward pass for inputs and no less than that for weights; otherwise ranks are idle for longer.
    Where all three are equal, ranks wait only for their first micro-batch: the zero bubble of the
    paper.

    Examples
    --------
    Four ranks, each pass of a chunk 1 s:

    >>> bubble_zbv(4, 4, 2)
    3

    Source
    ------
    Derived here from the order of passes in arXiv:2401.10241 §6, figure 7, and compared with a
    simulation of that order.
    """
    inputs = backward_seconds - weight_seconds
    return ratio((pp - 1) * maximum(inputs, 2 * (inputs - weight_seconds)), 2)
