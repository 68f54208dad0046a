"""Bytes of logits, loss and head at the peak of a rank, or of a layer if that is the peak."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Bytes, Count, Tokens
from dsv3calc.numbers.ops import exceeds, maximum, minimum, ratio, where


@formula(r"B_\mathrm{run}")
def working_bytes(
    living_logits: Count, kept_logits: Bytes, head_bytes: Bytes, layer_bytes: Bytes
) -> Bytes:
    r"""Give the working memory of a rank whose loss and layers do not run at the same time.

    .. math::

        B_\mathrm{run} = \max(n_\mathrm{logits} - 1, 0) B_\mathrm{logits} + \max(B_\mathrm{layer},
            \min(n_\mathrm{logits}, 1) B_\mathrm{head})

    Parameters
    ----------
    living_logits
        Micro-batches in flight on the stage with the head.
    kept_logits
        Bytes that each of them keeps of its logits.
    head_bytes
        Bytes that the loss and the head of one of them take.
    layer_bytes
        Bytes that the largest layer takes.

    Returns
    -------
    Bytes: the larger of head and layer, and the logits of the other micro-batches.

    Notes
    -----
    While a layer runs backward, the logits of its micro-batch are already freed.

    Examples
    --------
    The last stage of a pipeline under 1F1B, where the loss takes 3 GiB and a layer 2:

    >>> working_bytes(1, 2, 3, 2), working_bytes(0, 2, 3, 2)
    (3, 2)

    Source
    ------
    Derived here.
    """
    others = maximum(living_logits - 1, 0)
    return others * kept_logits + maximum(layer_bytes, minimum(living_logits, 1) * head_bytes)


@formula(r"B_\mathrm{head,at}")
def head_at_peak(
    living_logits: Count, head_bytes: Bytes, layer_bytes: Bytes, part_bytes: Bytes
) -> Bytes:
    r"""Give a part of the bytes of loss and head, where they run at the peak of their rank.

    .. math::

        B_\mathrm{head,at} = \begin{cases} \min(n_\mathrm{logits}, 1) B_\mathrm{part} & \text{if }
            \min(n_\mathrm{logits}, 1) B_\mathrm{head} > B_\mathrm{layer} \\ 0 & \text{else}
            \end{cases}

    Parameters
    ----------
    living_logits
        Micro-batches in flight on the stage with the head.
    head_bytes
        Bytes that the loss and the head of one of them take.
    layer_bytes
        Bytes that the largest layer takes.
    part_bytes
        The part of these bytes that is asked for.

    Returns
    -------
    Bytes: 0 where a layer takes as much or more, or where there is no head.

    Notes
    -----
    With ``layer_bytes`` 0 it is for a rank whose loss runs at the same time as a layer.

    Examples
    --------
    >>> head_at_peak(1, 3, 2, 3), head_at_peak(1, 3, 5, 3), head_at_peak(0, 3, 0, 3)
    (3, 0, 0)

    Source
    ------
    Derived here.
    """
    own = minimum(living_logits, 1)
    return where(exceeds(own * head_bytes, layer_bytes), own * part_bytes, 0)


@formula(r"B_\mathrm{logits,at}")
def logits_at_peak(
    living_logits: Count,
    kept_logits: Bytes,
    head_bytes: Bytes,
    layer_bytes: Bytes,
    part_bytes: Bytes,
) -> Bytes:
    r"""Give the bytes of a rank's logits at its peak, and of what the loss computes from them.

    .. math::

        B_\mathrm{logits,at} = \max(n_\mathrm{logits} - 1, 0) B_\mathrm{logits} + \begin{cases}
            \min(n_\mathrm{logits}, 1) B_\mathrm{part} & \text{if } \min(n_\mathrm{logits}, 1)
            B_\mathrm{head} > B_\mathrm{layer} \\ 0 & \text{else} \end{cases}

    Parameters
    ----------
    living_logits
        Micro-batches in flight on the stage with the head.
    kept_logits
        Bytes that each of them keeps of its logits.
    head_bytes
        Bytes that the loss and the head of one of them take.
    layer_bytes
        Bytes that the largest layer takes.
    part_bytes
        The part of ``head_bytes`` that is logits, or tensors of their shape.

    Returns
    -------
    Bytes: only those of the other micro-batches where the layer takes more.

    Notes
    -----
    With ``layer_bytes`` 0 it is for a rank whose loss runs at the same time as a layer.

    Examples
    --------
    >>> logits_at_peak(1, 2, 3, 2, 3), logits_at_peak(1, 2, 3, 5, 3), logits_at_peak(4, 2, 3, 5, 3)
    (3, 0, 6)

    Source
    ------
    Derived here.
    """
    others = maximum(living_logits - 1, 0)
    at_work = head_at_peak(living_logits, head_bytes, layer_bytes, part_bytes)
    return others * kept_logits + at_work


@formula(r"B_\mathrm{layer,at}")
def layer_at_peak(
    living_logits: Count, head_bytes: Bytes, layer_bytes: Bytes, part_bytes: Bytes
) -> Bytes:
    r"""Give a part of the bytes of a layer, where the layer runs at the peak of its rank.

    .. math::

        B_\mathrm{layer,at} = \begin{cases} 0 & \text{if } \min(n_\mathrm{logits}, 1)
            B_\mathrm{head} > B_\mathrm{layer} \\ B_\mathrm{part} & \text{else} \end{cases}

    Parameters
    ----------
    living_logits
        Micro-batches in flight on the stage with the head.
    head_bytes
        Bytes that the loss and the head of one of them take.
    layer_bytes
        Bytes that the largest layer takes.
    part_bytes
        The part of these bytes that is asked for.

    Returns
    -------
    Bytes: 0 where the loss is at the peak.

    Notes
    -----
    The layer is at the peak where both take the same.

    Examples
    --------
    >>> layer_at_peak(1, 3, 2, 2), layer_at_peak(0, 3, 2, 1)
    (0, 1)

    Source
    ------
    Derived here.
    """
    return where(exceeds(minimum(living_logits, 1) * head_bytes, layer_bytes), 0, part_bytes)


@formula(r"T_\mathrm{chunk}")
def chunk_tokens(tokens: Tokens, loss_chunk: Tokens, cp: Count) -> Tokens:
    r"""Count the tokens of a GPU whose logits exist at one time, where the loss runs in chunks.

    .. math:: T_\mathrm{chunk} = \min(\frac{T}{P_c}, T_\mathrm{loss})

    Parameters
    ----------
    tokens
        Tokens of the micro-batch of one replica.
    loss_chunk
        Most tokens of a chunk.
    cp
        Context-parallel GPUs, which share the tokens.

    Returns
    -------
    Tokens.

    Notes
    -----
    Whole chunks of the largest size; the last may be shorter.

    Examples
    --------
    >>> chunk_tokens(8192, 1024, 2), chunk_tokens(512, 1024, 1)
    (1024, 512)

    Source
    ------
    Derived here.
    """
    return minimum(ratio(tokens, cp), loss_chunk)
