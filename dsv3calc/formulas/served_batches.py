"""Batches of a server over replicas and stages; what replicas gather and transfer."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Bytes, BytesPerSecond, Count, Seconds
from dsv3calc.numbers.ops import ceil_div, maximum, minimum, ratio


@formula(r"B_\mathrm{part}")
def fullest_part(batch: Count, batch_parts: Count) -> Count:
    r"""Give the sequences of the fullest part of a batch that is divided evenly.

    .. math:: B_\mathrm{part} = \lceil B / n_\mathrm{parts} \rceil

    Parameters
    ----------
    batch
        Sequences of the whole batch.
    batch_parts
        Parts that it is divided into: attention replicas, or pipeline stages.

    Returns
    -------
    Sequences.

    Notes
    -----
    Replicas pad their batches to that of the fullest, so that all take its time.

    Examples
    --------
    A thousand sequences on 144 replicas:

    >>> fullest_part(1000, 144)
    7

    Source
    ------
    Definition.
    """
    return ceil_div(batch, batch_parts)


@formula(r"n_\mathrm{used}")
def parts_in_use(batch: Count, batch_parts: Count) -> Count:
    r"""Count the parts of a batch that have a sequence.

    .. math:: n_\mathrm{used} = \min(B, n_\mathrm{parts})

    Parameters
    ----------
    batch
        Sequences of the whole batch.
    batch_parts
        Parts that it is divided into.

    Returns
    -------
    Parts.

    Notes
    -----
    Parts are as even as possible, so that one is empty only where all others have one sequence.

    Examples
    --------
    >>> parts_in_use(3, 4), parts_in_use(5, 4)
    (3, 4)

    Source
    ------
    Definition.
    """
    return minimum(batch, batch_parts)


@formula(r"t_\mathrm{cycle}")
def pipelined_step(
    pass_seconds: Seconds,
    sends_seconds: Seconds,
    slowest_stage_seconds: Seconds,
    stage_passes: Count,
) -> Seconds:
    r"""Give the time between two tokens of a sequence that is decoded on pipeline stages.

    .. math::

        t_\mathrm{cycle} = \max(t_\mathrm{pass} + t_\mathrm{sends}, n_\mathrm{round}
            t_\mathrm{slow})

    Parameters
    ----------
    pass_seconds
        A part of the batch through all stages.
    sends_seconds
        Its sends between them.
    slowest_stage_seconds
        Its time on the slowest stage.
    stage_passes
        Parts of the batch that circulate through the stages.

    Returns
    -------
    Seconds.

    Notes
    -----
    A part enters the first stage again when it has left the last one, and a stage works on one part
    at a time. The time is the longer cycle of these two rules. The token that goes back is not
    counted.

    Examples
    --------
    Four parts on four stages, the last of which is slower:

    >>> pipelined_step(42, 2, 12, 4)
    48

    Source
    ------
    Derived here: the largest cycle mean of the stages' timed event graph.
    """
    return maximum(pass_seconds + sends_seconds, stage_passes * slowest_stage_seconds)


@formula(r"n_\mathrm{gather}")
def gathering_replicas(expert_gpus: Count, replica_gpus: Count) -> Count:
    r"""Count the attention replicas that need each other's tokens.

    .. math:: n_\mathrm{gather} = \lceil n_\mathrm{share} / G_\mathrm{rep} \rceil

    Parameters
    ----------
    expert_gpus
        GPUs that all compute on the same tokens.
    replica_gpus
        GPUs of an attention replica, which have its tokens already.

    Returns
    -------
    Replicas, one where nothing is gathered.

    Notes
    -----
    The GPUs of a group are those of whole replicas, or lie within one.

    Examples
    --------
    Experts divided over 16 GPUs, replicas of 8:

    >>> gathering_replicas(16, 8), gathering_replicas(4, 8)
    (2, 1)

    Source
    ------
    Derived here.
    """
    return ceil_div(expert_gpus, replica_gpus)


@formula(r"t_\mathrm{send}")
def handover_time(
    moved: Bytes, sending_gpus: Count, receiving_gpus: Count, link_bandwidth: BytesPerSecond
) -> Seconds:
    r"""Give the time in which prefill GPUs send a cache to the GPUs that decode.

    .. math:: t_\mathrm{send} = \frac{Q}{\min(G_\mathrm{send}, G_\mathrm{recv}) \beta_\mathrm{dir}}

    Parameters
    ----------
    moved
        Bytes of the cache that the GPUs for decoding lack.
    sending_gpus
        GPUs of a replica that prefills.
    receiving_gpus
        GPUs of a replica that decodes.
    link_bandwidth
        Bandwidth of a GPU between nodes, one direction.

    Returns
    -------
    Seconds.

    Notes
    -----
    Every byte crosses once, over as many links as the smaller side has; data that several GPUs
    replicate, such as MLA's latents, is copied within their node.

    Examples
    --------
    A prompt of 4,383 tokens of DeepSeek-V3 from four GPUs to one, over 40 GB/s:

    >>> round(handover_time(4383 * 70272, 4, 1, 40 * 10**9), 6)
    0.0077

    Source
    ------
    Derived here.
    """
    return ratio(moved, minimum(sending_gpus, receiving_gpus) * link_bandwidth)


@formula(r"t_\mathrm{wait}")
def handover_wait(
    transfer_seconds: Seconds, prefill_seconds: Seconds, num_hidden_layers: Count
) -> Seconds:
    r"""Give what a transfer of a cache adds to prefill where each layer is sent when it is ready.

    .. math::

        t_\mathrm{wait} = \max(t_\mathrm{send} - \frac{t_\mathrm{pre} (L - 1)}{L},
            \frac{t_\mathrm{send}}{L})

    Parameters
    ----------
    transfer_seconds
        The whole transfer.
    prefill_seconds
        The prefill pass.
    num_hidden_layers
        Layers, each with an equal share of both.

    Returns
    -------
    Seconds.

    Notes
    -----
    A layer is sent after it is computed and after the layer before it is sent. The sums of both
    chains are linear in the layer at which they meet, so that the first or the last one decides.

    Examples
    --------
    A transfer that is faster than prefill leaves its last layer to wait for:

    >>> handover_wait(12, 60, 60), handover_wait(120, 60, 60)
    (0.2, 61)

    Source
    ------
    Derived here.
    """
    return maximum(
        transfer_seconds - ratio(prefill_seconds * (num_hidden_layers - 1), num_hidden_layers),
        ratio(transfer_seconds, num_hidden_layers),
    )
