"""Interleaved 1F1B: how many micro-batches of each chunk a rank holds at any of its passes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count
from dsv3calc.numbers.ops import clip, floor_div, minimum


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
    A group of pp micro-batches passes a chunk before the next chunk runs. The forward pass of the
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


@formula(r"b_\mathrm{turn}", "warm_up <= micro_batches * virtual_pipeline")
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


@formula(r"b_\mathrm{fturn}", "warm_up <= micro_batches * virtual_pipeline")
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
    r"""Count the forward passes of one chunk among the first passes of its rank, interleaved.

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


@formula(
    r"n_\mathrm{il}",
    "(forwards >= backwards + (virtual_pipeline - 1) * pp)"
    " | (forwards % (pp * virtual_pipeline) == 0)",
)
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
