"""Pipeline schedules: which stages a rank holds, and how many micro-batches of each.

A micro-batch is in flight on a stage from the end of its forward pass there until its backward pass
there, or until the part of it that gives the gradient of the inputs. Where a schedule splits off
the gradient of the weights, a micro-batch is pending from then until that gradient is computed.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count
from dsv3calc.numbers.ops import clip, minimum


@formula(r"i_\mathrm{looped}")
def looped_stage(pp: Count, rank: Count, model_chunk: Count) -> Count:
    r"""Give the virtual stage of a chunk where chunks are assigned to the ranks in turn.

    .. math:: i_\mathrm{looped} = r_\mathrm{pp} + c_\mathrm{pp} P_p

    Parameters
    ----------
    pp
        Pipeline ranks.
    rank
        Rank that holds the chunk.
    model_chunk
        Which of its chunks.

    Returns
    -------
    Virtual stage, from 0.

    Notes
    -----
    Holds for the first chunk in every schedule, and for every chunk in the interleaved one.

    Examples
    --------
    Rank 1 of 4 holds stages 1, 5 and 9:

    >>> [looped_stage(4, 1, model_chunk) for model_chunk in range(3)]
    [1, 5, 9]

    Source
    ------
    arXiv:2104.04473 §2.2.
    """
    return rank + model_chunk * pp


@formula(r"i_\mathrm{folded}")
def folded_stage(pp: Count, rank: Count) -> Count:
    r"""Give the virtual stage of a rank's second chunk where the depth is folded into a V.

    .. math:: i_\mathrm{folded} = 2 P_p - 1 - r_\mathrm{pp}

    Parameters
    ----------
    pp
        Pipeline ranks, each with two chunks.
    rank
        Rank that holds the chunk.

    Returns
    -------
    Virtual stage, from 0 to 2 pp - 1.

    Notes
    -----
    ZBV and DualPipeV: down the ranks and back up, so that rank 0 has both the first and the last
    stage.

    Examples
    --------
    >>> [folded_stage(4, rank) for rank in range(4)]
    [7, 6, 5, 4]

    Source
    ------
    arXiv:2401.10241 §6; deepseek-ai/DualPipe, README.md.
    """
    return 2 * pp - 1 - rank


@formula(r"i_\mathrm{mirror}", result=("result >= 0", "result < pp"))
def mirrored_stage(pp: Count, rank: Count) -> Count:
    r"""Give the stage of the reverse direction that a rank holds under DualPipe.

    .. math:: i_\mathrm{mirror} = P_p - 1 - r_\mathrm{pp}

    Parameters
    ----------
    pp
        Pipeline ranks.
    rank
        Rank that holds the stage, beside the stage of its own number.

    Returns
    -------
    Stage, from 0 to pp - 1.

    Notes
    -----
    Every stage is on two ranks, and half of the micro-batches enter at each end.

    Examples
    --------
    >>> [mirrored_stage(4, rank) for rank in range(4)]
    [3, 2, 1, 0]

    Source
    ------
    arXiv:2412.19437 §3.2.1 and figure 5.
    """
    return pp - 1 - rank


@formula(r"n_\mathrm{gpipe}")
def gpipe_in_flight(micro_batches: Count) -> Count:
    r"""Count the micro-batches that each rank holds at the peak of GPipe.

    .. math:: n_\mathrm{gpipe} = n_\mathrm{micro}

    Parameters
    ----------
    micro_batches
        Micro-batches of the step.

    Returns
    -------
    Micro-batches in flight.

    Notes
    -----
    All forward passes come before the first backward pass.

    Examples
    --------
    >>> gpipe_in_flight(32)
    32

    Source
    ------
    arXiv:1811.06965 §2.3; arXiv:2104.04473 §2.2.1.
    """
    return micro_batches


@formula(r"n_\mathrm{1f1b}")
def one_forward_one_backward_in_flight(micro_batches: Count, pp: Count, rank: Count) -> Count:
    r"""Count the micro-batches that a rank holds at the peak of 1F1B and of ZB1P.

    .. math:: n_\mathrm{1f1b} = \min(n_\mathrm{micro}, P_p - r_\mathrm{pp})

    Parameters
    ----------
    micro_batches
        Micro-batches of the step.
    pp
        Pipeline ranks.
    rank
        The rank.

    Returns
    -------
    Micro-batches in flight.

    Notes
    -----
    One for each stage from this rank to the last: that many forward passes come before the first
    backward pass, then the two alternate.

    Examples
    --------
    The first and the last of 16 ranks, and a step too short to fill the pipeline:

    >>> [one_forward_one_backward_in_flight(m, 16, r) for m, r in ((64, 0), (64, 15), (8, 0))]
    [16, 1, 8]

    Source
    ------
    arXiv:2104.04473 §2.2.1; arXiv:2401.10241 §2.3, table 2 (ZB-H1).
    """
    return minimum(micro_batches, pp - rank)


@formula(r"w_\mathrm{zb1p}")
def zb1p_pending(micro_batches: Count, pp: Count, rank: Count) -> Count:
    r"""Count the micro-batches whose weight gradients are pending on a rank at the peak of ZB1P.

    .. math:: w_\mathrm{zb1p} = \min(\max(n_\mathrm{micro} - P_p + r_\mathrm{pp}, 0), r_\mathrm{pp})

    Parameters
    ----------
    micro_batches
        Micro-batches of the step.
    pp
        Pipeline ranks.
    rank
        The rank.

    Returns
    -------
    Micro-batches pending while those in flight are at their maximum.

    Notes
    -----
    ZB1P is ZB-H1: as 1F1B, but a rank defers as many weight gradients as there are ranks before it.
    The micro-batches pending and in flight are together as many as on rank 0. Where the step is
    shorter than the pipeline, no deferred gradient is assumed to be computed before the last
    forward pass.

    Examples
    --------
    >>> [zb1p_pending(64, 4, rank) for rank in range(4)]
    [0, 1, 2, 3]

    Source
    ------
    arXiv:2401.10241 §2.3, table 2: (p - s + 1) M_B + (s - 1) M_W, s from 1.
    """
    return clip(micro_batches - pp + rank, 0, rank)


@formula(r"w_\mathrm{zb1p}'")
def zb1p_pending_after_backward(micro_batches: Count, rank: Count) -> Count:
    r"""Count the micro-batches whose weight gradients are pending after a backward pass of ZB1P.

    .. math:: w_\mathrm{zb1p}' = \min(n_\mathrm{micro}, r_\mathrm{pp} + 1)

    Parameters
    ----------
    micro_batches
        Micro-batches of the step.
    rank
        The rank.

    Returns
    -------
    Micro-batches pending before the weight gradient that follows the backward pass for inputs.

    Notes
    -----
    Where a weight gradient keeps more than the whole backward pass did, this is the peak.

    Examples
    --------
    >>> [zb1p_pending_after_backward(64, rank) for rank in range(4)]
    [1, 2, 3, 4]

    Source
    ------
    Derived here from the order of arXiv:2401.10241 §2.3.
    """
    return minimum(micro_batches, rank + 1)


@formula(r"n_\mathrm{zb1p}'")
def zb1p_in_flight_after_backward(micro_batches: Count, pp: Count, rank: Count) -> Count:
    r"""Count the micro-batches that a rank has in flight after a backward pass of ZB1P.

    .. math::

        n_\mathrm{zb1p}' = \min(n_\mathrm{micro} - \min(n_\mathrm{micro}, r_\mathrm{pp} + 1), P_p -
            r_\mathrm{pp} - 1)

    Parameters
    ----------
    micro_batches
        Micro-batches of the step.
    pp
        Pipeline ranks.
    rank
        The rank.

    Returns
    -------
    Micro-batches in flight, without those that are pending then.

    Notes
    -----
    The forward pass that follows comes after the weight gradient.

    Examples
    --------
    >>> [zb1p_in_flight_after_backward(64, 4, rank) for rank in range(4)]
    [3, 2, 1, 0]

    Source
    ------
    Derived here from the order of arXiv:2401.10241 §2.3.
    """
    return minimum(micro_batches - minimum(micro_batches, rank + 1), pp - rank - 1)


@formula(r"n_\mathrm{zbv}", "stage < 2 * pp")
def zbv_in_flight(micro_batches: Count, pp: Count, stage: Count, behind: Count) -> Count:
    r"""Count the micro-batches of a chunk that its rank holds at a peak of ZBV.

    .. math:: n_\mathrm{zbv} = \min(n_\mathrm{micro}, 2 P_p - i_\mathrm{stage} - n_\mathrm{behind})

    Parameters
    ----------
    micro_batches
        Micro-batches of the step, at least 2 pp - 1.
    pp
        Pipeline ranks, each with two chunks.
    stage
        Virtual stage of the chunk.
    behind
        1 where the other chunk has just had its forward pass, and this one's comes next.

    Returns
    -------
    Micro-batches in flight.

    Notes
    -----
    Forward passes of the two chunks alternate; after each of them a rank holds 2 pp chunks in all.
    No weight gradient is deferred before the last forward pass. The order is that for equal times
    of forward, backward for inputs and backward for weights: one fitted to other times may hold
    another mix of the two chunks, within the same sum.

    Examples
    --------
    Rank 1 of 4 has stages 1 and 6; after a forward pass of the second, and of the first:

    >>> zbv_in_flight(16, 4, 1, 1), zbv_in_flight(16, 4, 6, 0)
    (6, 2)
    >>> zbv_in_flight(16, 4, 1, 0), zbv_in_flight(16, 4, 6, 1)
    (7, 1)

    Source
    ------
    arXiv:2401.10241 §6; PyTorch, distributed/pipelining/schedules.py (ScheduleZBVZeroBubble). The
    counts are derived here.
    """
    return minimum(micro_batches, 2 * pp - stage - behind)
