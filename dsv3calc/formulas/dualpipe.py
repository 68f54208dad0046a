"""DualPipe and DualPipeV: micro-batches in flight, and those with a pending weight gradient."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import Count, Ratio
from dsv3calc.numbers.ops import clip, floor_div, maximum, minimum, ratio


@formula(r"n_\mathrm{dual}", "stage < pp")
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
    With at least 2 pp micro-batches in both directions together. Both stages reach their maximum at
    the same time: pp + 1 micro-batches on every rank.

    Examples
    --------
    Rank 3 of DeepSeek-V3's 16 has stages 3 and 12:

    >>> dualpipe_in_flight(16, 3), dualpipe_in_flight(16, 12)
    (13, 4)

    Source
    ------
    arXiv:2412.19437 §3.2.1, table 2, gives the sum; deepseek-ai/DualPipe, dualpipe.py (step), the
    order of passes.
    """
    return pp - stage


@formula(r"w_\mathrm{dual}", "stage < virtual_stages", result=SHARE)
def dualpipe_pending_early(virtual_stages: Count, stage: Count) -> Count:
    r"""Count a stage's micro-batches with a pending weight gradient while DualPipe fills.

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
    1 for the deeper stage where other ranks are between it and its mirror, else 0.

    Notes
    -----
    A weight gradient is deferred by one pass, and each stage has one micro-batch less in flight
    than at the peak.

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


@formula(r"n_\mathrm{drain}", "stage < virtual_stages")
def dualpipe_in_flight_draining(virtual_stages: Count, stage: Count) -> Count:
    r"""Count a stage's micro-batches in flight when DualPipe has the most pending weight gradients.

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
    Micro-batches in flight, without those that are pending then; 0 for the deeper stage.

    Notes
    -----
    At the end of the step, after the backward passes that defer their weight gradients.

    Examples
    --------
    >>> dualpipe_in_flight_draining(16, 3), dualpipe_in_flight_draining(16, 12)
    (4, 0)

    Source
    ------
    Derived here from the order of deepseek-ai/DualPipe, dualpipe.py (step).
    """
    return maximum(floor_div(virtual_stages, 2) - 1 - stage, 0)


@formula(r"w_\mathrm{drain}", "stage < virtual_stages")
def dualpipe_pending_draining(virtual_stages: Count, stage: Count) -> Count:
    r"""Count a stage's pending micro-batches when DualPipe has the most pending weight gradients.

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
    Micro-batches pending; both stages together have as many as there are ranks from the nearer end
    up to this one.

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


@formula(r"n_\mathrm{dualv}", "stage < 2 * pp")
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
    With at least 2 pp micro-batches. Both chunks reach their maximum at the same time: 2 pp + 1
    micro-batches on every rank.

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
    r"""Give the peak activations of DualPipe over those of 1F1B.

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
    Stages of equal size; for 1F1B the first rank is taken, which holds the most.

    Examples
    --------
    >>> dualpipe_activation_ratio(16)
    1.0625

    Source
    ------
    arXiv:2412.19437 §3.2.1, table 2.
    """
    return ratio(pp + 1, pp)


@formula(r"m_\mathrm{pair}", "pp % 2 == 0", "rank < pp", "micro_batches >= 2 * pp")
def dualpipe_pairs(micro_batches: Count, pp: Count, rank: Count) -> Count:
    r"""Count the forward passes of a rank that overlap a backward pass under DualPipe.

    .. math::

        m_\mathrm{pair} = n_\mathrm{micro} - P_p - \lfloor P_p / 2 \rfloor + 1 + \min(r_\mathrm{pp},
            P_p - 1 - r_\mathrm{pp}, \lfloor P_p / 2 \rfloor - 2)

    Parameters
    ----------
    micro_batches
        Those of a replica in a step, in both directions together.
    pp
        Pipeline ranks, an even number.
    rank
        Pipeline rank, from 0.

    Returns
    -------
    Overlapped pairs of passes.

    Notes
    -----
    The passes of the other micro-batches run alone while the pipeline fills and drains. The ranks
    in the middle put their first forward pass before its backward pass instead of beside it.

    Examples
    --------
    DeepSeek-V3's 16 ranks with 120 micro-batches; rank 0, rank 1 and one in the middle:

    >>> dualpipe_pairs(120, 16, 0), dualpipe_pairs(120, 16, 1), dualpipe_pairs(120, 16, 7)
    (97, 98, 103)

    Source
    ------
    Derived here from the order of deepseek-ai/DualPipe, dualpipe.py (step).
    """
    half = floor_div(pp, 2)
    outer = minimum(rank, pp - 1 - rank)
    return micro_batches - pp - half + 1 + minimum(outer, half - 2)


@formula(r"m_\mathrm{pairv}", "pp >= 2", "rank < pp", "micro_batches >= 2 * pp")
def dualpipev_pairs(micro_batches: Count, pp: Count, rank: Count) -> Count:
    r"""Count the forward passes of a rank that overlap a backward pass under DualPipeV.

    .. math:: m_\mathrm{pairv} = 2 n_\mathrm{micro} - 3 P_p + 1 + \min(r_\mathrm{pp}, P_p - 2)

    Parameters
    ----------
    micro_batches
        Those of a replica in a step.
    pp
        Pipeline ranks.
    rank
        Pipeline rank, from 0.

    Returns
    -------
    Overlapped pairs of passes, each through one of the rank's two chunks.

    Notes
    -----
    The last rank puts its first forward pass before its backward pass instead of beside it.

    Examples
    --------
    >>> dualpipev_pairs(20, 4, 0), dualpipev_pairs(20, 4, 3)
    (29, 31)

    Source
    ------
    Derived here from the order of deepseek-ai/DualPipe, dualpipev.py (step).
    """
    return 2 * micro_batches - 3 * pp + 1 + minimum(rank, pp - 2)
