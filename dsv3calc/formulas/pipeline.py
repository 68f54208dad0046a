"""Pipeline schedules: which stages a rank holds, how many micro-batches of each, what stays idle.

A micro-batch is in flight on a stage from the end of its forward pass there until its backward
pass, or the part of that which yields the gradient of the inputs. Where a schedule splits off the
gradient of the weights, a micro-batch is pending from then until that is done.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.ops import clip, floor_div, maximum, minimum, ratio
from dsv3calc.registry import formula
from dsv3calc.units import Count, Ratio, Seconds


@formula(r"i_\mathrm{looped}")
def looped_stage(pp: Count, rank: Count, model_chunk: Count) -> Count:
    r"""Give the virtual stage of a chunk where chunks are dealt out to the ranks in turn.

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
    The first chunk of every schedule, and every chunk of the interleaved one.

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


@formula(r"i_\mathrm{mirror}")
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
    Every stage stands on two ranks, and half of the micro-batches enter at either end.

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
    r"""Count the micro-batches whose weight gradients a rank still owes at the peak of ZB1P.

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
    Micro-batches pending while those in flight are at their most.

    Notes
    -----
    ZB1P is ZB-H1: as 1F1B, but a rank puts off as many weight gradients as there are ranks before
    it. With those in flight it holds as many micro-batches as rank 0. Where the step is shorter
    than the pipeline, none is taken to be made up before the last forward pass.

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
    r"""Count the micro-batches whose weight gradients a rank owes after a backward pass of ZB1P.

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
    Micro-batches in flight beside those that are pending then.

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


@formula(r"n_\mathrm{start}")
def interleaved_warm_up(
    micro_batches: Count, pp: Count, virtual_pipeline: Count, rank: Count
) -> Count:
    r"""Count the forward passes of a rank before its first backward pass, interleaved.

    .. math::

        n_\mathrm{start} = \min(n_\mathrm{micro} v, 2 (P_p - r_\mathrm{pp} - 1) + (v - 1) P_p + 1)

    Parameters
    ----------
    micro_batches
        Micro-batches of the step, a multiple of pp.
    pp
        Pipeline ranks.
    virtual_pipeline
        Chunks that each rank holds.
    rank
        The rank.

    Returns
    -------
    Passes of single chunks: also what the rank holds at its peak, all its chunks together.

    Notes
    -----
    Groups of pp micro-batches pass a chunk before the next chunk's turn. The forward pass of the
    first pair of the steady phase is counted. Without the extra warm-up step that Megatron-Core
    takes to overlap the all-to-all of experts; older versions ran all forward passes first where
    the step has pp micro-batches.

    Examples
    --------
    Four ranks of two chunks:

    >>> [interleaved_warm_up(8, 4, 2, rank) for rank in range(4)]
    [11, 9, 7, 5]

    Source
    ------
    Megatron-Core, pipeline_parallel/schedules.py (get_pp_rank_microbatches); arXiv:2104.04473
    §2.2.2.
    """
    return minimum(
        micro_batches * virtual_pipeline, 2 * (pp - rank - 1) + (virtual_pipeline - 1) * pp + 1
    )


@formula(r"b_\mathrm{turn}")
def backwards_at_backward_turn(
    micro_batches: Count, pp: Count, virtual_pipeline: Count, warm_up: Count, turn: Count
) -> Count:
    r"""Count a rank's backward passes when their chunk changes while forward passes remain.

    .. math:: b_\mathrm{turn} = \min(n_\mathrm{micro} v - n_\mathrm{warm}, j_\mathrm{turn} P_p)

    Parameters
    ----------
    micro_batches
        Micro-batches of the step, a multiple of pp.
    pp
        Pipeline ranks.
    virtual_pipeline
        Chunks that each rank holds.
    warm_up
        Forward passes before the first backward pass.
    turn
        Which change of the chunk.

    Returns
    -------
    Backward passes, at most those before the last forward pass.

    Notes
    -----
    Turn 0 is before the first backward pass.

    Examples
    --------
    >>> [backwards_at_backward_turn(16, 4, 2, 11, turn) for turn in range(3)]
    [0, 4, 8]

    Source
    ------
    Derived here, for the order of arXiv:2104.04473 §2.2.2.
    """
    return minimum(micro_batches * virtual_pipeline - warm_up, turn * pp)


@formula(r"b_\mathrm{fturn}")
def backwards_at_forward_turn(
    micro_batches: Count,
    pp: Count,
    virtual_pipeline: Count,
    rank: Count,
    warm_up: Count,
    turn: Count,
) -> Count:
    r"""Count a rank's backward passes when the chunk of the forward passes changes.

    .. math::

        b_\mathrm{fturn} = \min(n_\mathrm{micro} v - n_\mathrm{warm}, 2 r_\mathrm{pp} + 1 +
            j_\mathrm{turn} P_p)

    Parameters
    ----------
    micro_batches
        Micro-batches of the step, a multiple of pp.
    pp
        Pipeline ranks.
    virtual_pipeline
        Chunks that each rank holds.
    rank
        The rank.
    warm_up
        Forward passes before the first backward pass.
    turn
        Which change of the chunk.

    Returns
    -------
    Backward passes, at most those before the last forward pass.

    Notes
    -----
    Forward passes change chunks whenever pp of them are done. Turn 0 is when
    pp (virtual_pipeline + 1) of them are.

    Examples
    --------
    Rank 1 of 4 starts with 9 forward passes and has done 12 after 3 pairs:

    >>> backwards_at_forward_turn(16, 4, 2, 1, 9, 0)
    3

    Source
    ------
    Derived here, for the order of arXiv:2104.04473 §2.2.2.
    """
    return minimum(micro_batches * virtual_pipeline - warm_up, 2 * rank + 1 + turn * pp)


@formula(r"n_\mathrm{pass}")
def chunk_passes(forwards: Count, pp: Count, virtual_pipeline: Count, model_chunk: Count) -> Count:
    r"""Count the forward passes of one chunk among the first of its rank, interleaved.

    .. math::

        n_\mathrm{pass} &= q_\mathrm{full} P_p + \min(\max(n_\mathrm{fwd} - q_\mathrm{full} v P_p -
            c_\mathrm{pp} P_p, 0), P_p) \\
        q_\mathrm{full} &= \lfloor n_\mathrm{fwd} / (P_p v) \rfloor

    Parameters
    ----------
    forwards
        Forward passes of the rank, its chunks together.
    pp
        Pipeline ranks.
    virtual_pipeline
        Chunks that each rank holds.
    model_chunk
        The chunk.

    Returns
    -------
    Forward passes of the chunk.

    Notes
    -----
    Micro-batches in groups of pp: each group passes the first chunk, then the second, and so on.

    Examples
    --------
    Of 10 passes the first chunk has four, the second four, and the first two more:

    >>> chunk_passes(10, 4, 2, 0), chunk_passes(10, 4, 2, 1)
    (6, 4)

    Source
    ------
    Megatron-Core, pipeline_parallel/schedules.py (get_schedule_table).
    """
    full = floor_div(forwards, pp * virtual_pipeline)
    return full * pp + clip(forwards - full * virtual_pipeline * pp - model_chunk * pp, 0, pp)


@formula(r"n_\mathrm{il}")
def interleaved_in_flight(
    pp: Count, virtual_pipeline: Count, model_chunk: Count, forwards: Count, backwards: Count
) -> Count:
    r"""Count the micro-batches of one chunk that a rank holds at any step, interleaved.

    .. math::

        n_\mathrm{il} = \lfloor n_\mathrm{fwd} / (P_p v) \rfloor P_p + \min(\max(n_\mathrm{fwd} -
            \lfloor n_\mathrm{fwd} / (P_p v) \rfloor v P_p - c_\mathrm{pp} P_p, 0), P_p) - (\lfloor
            n_\mathrm{bwd} / (P_p v) \rfloor P_p + \min(\max(n_\mathrm{bwd} - \lfloor n_\mathrm{bwd}
            / (P_p v) \rfloor v P_p - (v - 1 - c_\mathrm{pp}) P_p, 0), P_p))

    Parameters
    ----------
    pp
        Pipeline ranks.
    virtual_pipeline
        Chunks that each rank holds.
    model_chunk
        The chunk.
    forwards
        Forward passes that the rank has done, its chunks together.
    backwards
        Backward passes likewise.

    Returns
    -------
    Micro-batches in flight.

    Notes
    -----
    Backward passes take the chunks in the reverse order.

    Examples
    --------
    Rank 0 of 4 before its first backward pass: 7 micro-batches of its first chunk, 4 of its second.

    >>> [interleaved_in_flight(4, 2, model_chunk, 11, 0) for model_chunk in range(2)]
    [7, 4]

    Source
    ------
    Derived here, for the order of Megatron-Core, pipeline_parallel/schedules.py.
    """
    return chunk_passes(forwards, pp, virtual_pipeline, model_chunk) - chunk_passes(
        backwards, pp, virtual_pipeline, virtual_pipeline - 1 - model_chunk
    )


@formula(r"n_\mathrm{zbv}")
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
    No weight gradient is put off before the last forward pass. The order is that for equal times of
    forward, backward for inputs and backward for weights: one fitted to other times may hold
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


@formula(r"n_\mathrm{dual}")
def dualpipe_in_flight(pp: Count, stage: Count) -> Count:
    r"""Count the micro-batches of a stage that a rank holds at the peak of DualPipe.

    .. math:: n_\mathrm{dual} = P_p - i_\mathrm{stage}

    Parameters
    ----------
    pp
        Pipeline ranks.
    stage
        One of the two stages that the rank holds.

    Returns
    -------
    Micro-batches in flight.

    Notes
    -----
    With at least 2 pp micro-batches in both directions together. Both stages are at their most at
    one time: pp + 1 micro-batches on every rank.

    Examples
    --------
    Rank 3 of DeepSeek-V3's 16 has stages 3 and 12:

    >>> dualpipe_in_flight(16, 3), dualpipe_in_flight(16, 12)
    (13, 4)

    Source
    ------
    arXiv:2412.19437 §3.2.1, table 2, gives the sum; deepseek-ai/DualPipe, dualpipe.py (step), the
    order that it is made of.
    """
    return pp - stage


@formula(r"w_\mathrm{dual}")
def dualpipe_pending_early(virtual_stages: Count, stage: Count) -> Count:
    r"""Count the micro-batches that owe a stage's weight gradient as DualPipe fills.

    .. math::

        w_\mathrm{dual} = \min(\max(i_\mathrm{stage} - \lfloor P_\mathrm{stage} / 2 \rfloor, 0), 1)

    Parameters
    ----------
    virtual_stages
        Stages of the pipeline: pp, or 2 pp of DualPipeV's V.
    stage
        One of the two stages that the rank holds.

    Returns
    -------
    1 for the deeper stage where other ranks stand between it and its mirror, else 0.

    Notes
    -----
    A weight gradient is put off by one pass, and each stage has one micro-batch less in flight than
    at the peak.

    Examples
    --------
    >>> dualpipe_pending_early(16, 12), dualpipe_pending_early(16, 3), dualpipe_pending_early(16, 8)
    (1, 0, 0)

    Source
    ------
    Derived here from the order of deepseek-ai/DualPipe, dualpipe.py (step).
    """
    half = floor_div(virtual_stages, 2)
    return clip(stage - half, 0, 1)


@formula(r"n_\mathrm{drain}")
def dualpipe_in_flight_draining(virtual_stages: Count, stage: Count) -> Count:
    r"""Count the micro-batches of a stage that a rank has in flight when DualPipe owes most.

    .. math::

        n_\mathrm{drain} = \max(\lfloor P_\mathrm{stage} / 2 \rfloor - 1 - i_\mathrm{stage}, 0)

    Parameters
    ----------
    virtual_stages
        Stages of the pipeline: pp, or 2 pp of DualPipeV's V.
    stage
        One of the two stages that the rank holds.

    Returns
    -------
    Micro-batches in flight beside those that are pending then; none of the deeper stage.

    Notes
    -----
    At the end of the step, after the backward passes that put off their weight gradients.

    Examples
    --------
    >>> dualpipe_in_flight_draining(16, 3), dualpipe_in_flight_draining(16, 12)
    (4, 0)

    Source
    ------
    Derived here from the order of deepseek-ai/DualPipe, dualpipe.py (step).
    """
    return maximum(floor_div(virtual_stages, 2) - 1 - stage, 0)


@formula(r"w_\mathrm{drain}")
def dualpipe_pending_draining(virtual_stages: Count, stage: Count) -> Count:
    r"""Count the micro-batches that owe a stage's weight gradient when DualPipe owes most.

    .. math::

        w_\mathrm{drain} = \lfloor (\min(i_\mathrm{stage}, P_\mathrm{stage} - 1 - i_\mathrm{stage})
            + 1 + \min(\max(\lfloor P_\mathrm{stage} / 2 \rfloor - i_\mathrm{stage}, 0), 1)) / 2
            \rfloor

    Parameters
    ----------
    virtual_stages
        Stages of the pipeline: pp, or 2 pp of DualPipeV's V.
    stage
        One of the two stages that the rank holds.

    Returns
    -------
    Micro-batches pending: together as many as there are ranks up to this one from its nearer end.

    Notes
    -----
    Passes of the two stages alternate; the shallower one has the odd micro-batch.

    Examples
    --------
    Rank 4 of 16 has stages 4 and 11, and five micro-batches pending:

    >>> dualpipe_pending_draining(16, 4), dualpipe_pending_draining(16, 11)
    (3, 2)

    Source
    ------
    Derived here from the order of deepseek-ai/DualPipe, dualpipe.py (step).
    """
    both = minimum(stage, virtual_stages - 1 - stage) + 1
    shallower = clip(floor_div(virtual_stages, 2) - stage, 0, 1)
    return floor_div(both + shallower, 2)


@formula(r"n_\mathrm{dualv}")
def dualpipev_in_flight(pp: Count, stage: Count) -> Count:
    r"""Count the micro-batches of a virtual stage that a rank holds at the peak of DualPipeV.

    .. math:: n_\mathrm{dualv} = 2 P_p - i_\mathrm{stage}

    Parameters
    ----------
    pp
        Pipeline ranks, each with two chunks.
    stage
        Virtual stage of one of them.

    Returns
    -------
    Micro-batches in flight.

    Notes
    -----
    With at least 2 pp micro-batches. Both chunks are at their most at one time: 2 pp + 1 of them on
    every rank.

    Examples
    --------
    Rank 1 of 4 has stages 1 and 6:

    >>> dualpipev_in_flight(4, 1), dualpipev_in_flight(4, 6)
    (7, 2)

    Source
    ------
    deepseek-ai/DualPipe, README.md and dualpipev.py (step).
    """
    return 2 * pp - stage


@formula(r"f_\mathrm{dual}")
def dualpipe_activation_ratio(pp: Count) -> Ratio:
    r"""Give the peak activations of DualPipe, in those of 1F1B.

    .. math:: f_\mathrm{dual} = \frac{P_p + 1}{P_p}

    Parameters
    ----------
    pp
        Pipeline ranks.

    Returns
    -------
    Ratio of micro-batches in flight.

    Notes
    -----
    Stages of equal size; of 1F1B the first rank, which holds the most.

    Examples
    --------
    >>> dualpipe_activation_ratio(16)
    1.0625

    Source
    ------
    arXiv:2412.19437 §3.2.1, table 2.
    """
    return ratio(pp + 1, pp)


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


@formula(r"t_\mathrm{zb1p}")
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


@formula(r"t_\mathrm{dual}")
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
