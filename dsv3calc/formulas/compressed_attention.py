"""FLOPs of attention over compressed tokens, all of them or a selection."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Flops, Tokens
from dsv3calc.numbers.ops import clip, floor_div, minimum


@formula(r"C_\mathrm{full}")
def compressed_full_channel_flops(sequence: Tokens, past: Tokens, compress_ratio: Tokens) -> Flops:
    r"""Count one channel's FLOPs when every query attends to every compressed entry.

    .. math:: C_\mathrm{full} = 2 S \lfloor (P + S) / m_c \rfloor

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    compress_ratio
        Tokens that one entry stands for.

    Returns
    -------
    Twice the number of (query, entry) pairs, masked ones included.

    Notes
    -----
    Entries that the new tokens complete are among them.

    Examples
    --------
    >>> compressed_full_channel_flops(1, 4095, 4)
    2048

    Source
    ------
    Derived here; equal to the dense masked product of transformers 5.24.
    """
    return 2 * sequence * floor_div(past + sequence, compress_ratio)


@formula(r"C_\mathrm{causal}")
def compressed_causal_channel_flops(
    sequence: Tokens, past: Tokens, compress_ratio: Tokens
) -> Flops:
    r"""Count one channel's FLOPs when a query attends to the entries that end before it.

    .. math::

        C_\mathrm{causal} &= m_c q (q - 1) + 2 q (r + 1) - m_c q_P (q_P - 1) - 2 q_P (r_P + 1) \\
        S_e &= P + S \\
        q &= \lfloor S_e / m_c \rfloor \\
        q_P &= \lfloor P / m_c \rfloor \\
        r &= S_e - q m_c \\
        r_P &= P - q_P m_c

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    compress_ratio
        Tokens that one entry stands for.

    Returns
    -------
    Twice the number of (query, entry) pairs that are not masked.

    Notes
    -----
    The token that completes a block sees its entry.

    Examples
    --------
    >>> compressed_causal_channel_flops(8, 0, 4)
    12

    Source
    ------
    Derived here: the sum of floor((past + i) / compress_ratio) over i = 1..S.
    """
    end = past + sequence
    whole, whole_past = floor_div(end, compress_ratio), floor_div(past, compress_ratio)
    rest, rest_past = end - whole * compress_ratio, past - whole_past * compress_ratio
    return (
        compress_ratio * whole * (whole - 1)
        + 2 * whole * (rest + 1)
        - compress_ratio * whole_past * (whole_past - 1)
        - 2 * whole_past * (rest_past + 1)
    )


@formula(r"C_\mathrm{half}")
def compressed_half_channel_flops(sequence: Tokens, past: Tokens, compress_ratio: Tokens) -> Flops:
    r"""Count one channel's FLOPs over compressed entries with the diagonal counted half.

    .. math:: C_\mathrm{half} = \lfloor (2 S P + S^2) / m_c \rfloor

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    compress_ratio
        Tokens that one entry stands for.

    Returns
    -------
    Twice the area under (past + t) / compress_ratio for t from 0 to S, rounded down.

    Notes
    -----
    The continuous counterpart of the causal count, as S²/2 is without compression.

    Examples
    --------
    >>> compressed_half_channel_flops(8, 0, 4)
    16

    Source
    ------
    Derived here.
    """
    return floor_div(2 * sequence * past + sequence * sequence, compress_ratio)


@formula(r"C_\mathrm{full}")
def selected_entries_full_channel_flops(
    sequence: Tokens, past: Tokens, compress_ratio: Tokens, index_topk: Tokens
) -> Flops:
    r"""Count one channel's FLOPs when every query gathers a fixed number of compressed entries.

    .. math:: C_\mathrm{full} = 2 S \min(\lfloor (P + S) / m_c \rfloor, k_I)

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    compress_ratio
        Tokens that one entry stands for.
    index_topk
        Entries selected for each query.

    Returns
    -------
    Twice the number of (query, entry) pairs, masked ones included.

    Notes
    -----
    Where fewer entries exist than are selected, all of them.

    Examples
    --------
    >>> selected_entries_full_channel_flops(1, 4095, 4, 512)
    1024

    Source
    ------
    Derived here.
    """
    return 2 * sequence * minimum(floor_div(past + sequence, compress_ratio), index_topk)


@formula(r"C_\mathrm{causal}")
def selected_entries_causal_channel_flops(
    sequence: Tokens, past: Tokens, compress_ratio: Tokens, index_topk: Tokens
) -> Flops:
    r"""Count one channel's FLOPs when a query attends to at most ``index_topk`` entries before it.

    .. math::

        C_\mathrm{causal} &= m_c \lfloor (P + S_g) / m_c \rfloor (\lfloor (P + S_g) / m_c \rfloor -
            1) + 2 \lfloor (P + S_g) / m_c \rfloor (P + S_g - \lfloor (P + S_g) / m_c \rfloor m_c +
            1) - m_c \lfloor P / m_c \rfloor (\lfloor P / m_c \rfloor - 1) - 2 \lfloor P / m_c
            \rfloor (P - \lfloor P / m_c \rfloor m_c + 1) + 2 (S - S_g) k_I \\
        S_g &= \min(\max(k_I m_c - P, 0), S)

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    compress_ratio
        Tokens that one entry stands for.
    index_topk
        Entries selected for each query.

    Returns
    -------
    Twice the number of (query, entry) pairs that are not masked.

    Notes
    -----
    The first queries attend to every entry before them, as in
    :func:`compressed_causal_channel_flops`.

    Examples
    --------
    >>> selected_entries_causal_channel_flops(8, 0, 4, 1)
    10

    Source
    ------
    Derived here: the sum of min(floor((past + i) / compress_ratio), index_topk) over i = 1..S.
    """
    growing = clip(index_topk * compress_ratio - past, 0, sequence)
    every = compressed_causal_channel_flops(growing, past, compress_ratio)
    return every + 2 * (sequence - growing) * index_topk


@formula(r"C_\mathrm{half}")
def selected_entries_half_channel_flops(
    sequence: Tokens, past: Tokens, compress_ratio: Tokens, index_topk: Tokens
) -> Flops:
    r"""Count one channel's FLOPs over selected entries with the diagonal counted half.

    .. math::

        C_\mathrm{half} &= \lfloor (2 S_g P + S_g^2) / m_c \rfloor + 2 (S - S_g) k_I \\
        S_g &= \min(\max(k_I m_c - P, 0), S)

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    compress_ratio
        Tokens that one entry stands for.
    index_topk
        Entries selected for each query.

    Returns
    -------
    Twice the area under min((past + t) / compress_ratio, index_topk) for t from 0 to S.

    Notes
    -----
    The continuous counterpart of the causal count, rounded down.

    Examples
    --------
    >>> selected_entries_half_channel_flops(8, 0, 4, 1)
    12

    Source
    ------
    Derived here.
    """
    growing = clip(index_topk * compress_ratio - past, 0, sequence)
    every = compressed_half_channel_flops(growing, past, compress_ratio)
    return every + 2 * (sequence - growing) * index_topk
