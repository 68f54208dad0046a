"""FLOPs of attention where a token sees a window, a chunk or a selection of what came before."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Flops, Tokens
from dsv3calc.numbers.ops import clip, floor_div, minimum


@formula(r"C_\mathrm{full}")
def window_full_channel_flops(sequence: Tokens, past: Tokens, window: Tokens) -> Flops:
    r"""Count one channel's FLOPs over all pairs of a query and a key of a bounded cache.

    .. math:: C_\mathrm{full} = 2 S (\min(P, W - 1) + S)

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    window
        Size of the sliding window or of the chunk.

    Returns
    -------
    Twice the number of (query, key) pairs, masked ones included.

    Notes
    -----
    The cache keeps the last ``window - 1`` tokens, to which the new ones are added.

    Examples
    --------
    One token of Gemma-3 at 4,095 cached tokens, window 1,024:

    >>> window_full_channel_flops(1, 4095, 1024)
    2048

    Source
    ------
    Derived here; equal to the dense masked product of transformers.
    """
    return 2 * sequence * (minimum(past, window - 1) + sequence)


@formula(r"C_\mathrm{causal}")
def window_causal_channel_flops(sequence: Tokens, past: Tokens, window: Tokens) -> Flops:
    r"""Count one channel's FLOPs when a query sees itself and the window - 1 tokens before it.

    .. math::

        C_\mathrm{causal} &= 2 S_g P + S_g (S_g + 1) + 2 (S - S_g) W \\
        S_g &= \min(\max(W - P, 0), S)

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    window
        Keys that a query sees at most: the sliding window, or the keys that DSA selects.

    Returns
    -------
    Twice the number of (query, key) pairs that are not masked.

    Notes
    -----
    The first ``window - past`` queries see everything before them, the others ``window`` keys.

    Examples
    --------
    >>> window_causal_channel_flops(4096, 0, 1024)
    7341056

    Source
    ------
    Derived here: the sum of min(past + i, window) over i = 1..S.
    """
    growing = clip(window - past, 0, sequence)
    return 2 * growing * past + growing * (growing + 1) + 2 * (sequence - growing) * window


@formula(r"C_\mathrm{half}")
def window_half_channel_flops(sequence: Tokens, past: Tokens, window: Tokens) -> Flops:
    r"""Count one channel's FLOPs in a window with the diagonal counted half.

    .. math::

        C_\mathrm{half} &= 2 S_g P + S_g^2 + 2 (S - S_g) W \\
        S_g &= \min(\max(W - P, 0), S)

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    window
        Keys that a query sees at most.

    Returns
    -------
    Twice the area under min(past + t, window) for t from 0 to S.

    Notes
    -----
    The continuous counterpart of the causal count, as S²/2 is without a window.

    Examples
    --------
    >>> window_half_channel_flops(4096, 0, 1024)
    7340032

    Source
    ------
    Derived here.
    """
    growing = clip(window - past, 0, sequence)
    return 2 * growing * past + growing * growing + 2 * (sequence - growing) * window


@formula(r"C_\mathrm{full}")
def selected_full_channel_flops(sequence: Tokens, past: Tokens, window: Tokens) -> Flops:
    r"""Count one channel's FLOPs when every query gathers a fixed number of selected keys.

    .. math:: C_\mathrm{full} = 2 S \min(P + S, W)

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    window
        Keys selected for each query (``index_topk``).

    Returns
    -------
    Twice the number of (query, key) pairs, masked ones included.

    Notes
    -----
    Where fewer keys exist than are selected, all of them.

    Examples
    --------
    >>> selected_full_channel_flops(1, 32767, 2048)
    4096

    Source
    ------
    Derived here from DeepSeek Sparse Attention: DeepSeek-V3.2-Exp report, §1.
    """
    return 2 * sequence * minimum(past + sequence, window)


@formula(r"C_\mathrm{causal}")
def chunk_causal_channel_flops(sequence: Tokens, past: Tokens, chunk: Tokens) -> Flops:
    r"""Count one channel's FLOPs when a query sees the tokens of its own chunk before it.

    .. math::

        C_\mathrm{causal} &= (q - q_P) K (K + 1) + r (r + 1) - r_P (r_P + 1) \\
        S_e &= P + S \\
        q &= \lfloor S_e / K \rfloor \\
        q_P &= \lfloor P / K \rfloor \\
        r &= S_e - q K \\
        r_P &= P - q_P K

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    chunk
        Tokens of a chunk (``attention_chunk_size``).

    Returns
    -------
    Twice the number of (query, key) pairs that are not masked.

    Notes
    -----
    Chunks start at multiples of ``chunk``, counted from the start of the sequence.

    Examples
    --------
    >>> chunk_causal_channel_flops(16384, 0, 8192)
    134234112

    Source
    ------
    Derived here: a full chunk has C(C+1)/2 pairs, one of r tokens r(r+1)/2.
    """
    end = past + sequence
    whole, whole_past = floor_div(end, chunk), floor_div(past, chunk)
    rest, rest_past = end - whole * chunk, past - whole_past * chunk
    return (
        (whole - whole_past) * chunk * (chunk + 1) + rest * (rest + 1) - rest_past * (rest_past + 1)
    )


@formula(r"C_\mathrm{half}")
def chunk_half_channel_flops(sequence: Tokens, past: Tokens, chunk: Tokens) -> Flops:
    r"""Count one channel's FLOPs in chunks with the diagonal counted half.

    .. math::

        C_\mathrm{half} &= (q - q_P) K^2 + r^2 - r_P^2 \\
        S_e &= P + S \\
        q &= \lfloor S_e / K \rfloor \\
        q_P &= \lfloor P / K \rfloor \\
        r &= S_e - q K \\
        r_P &= P - q_P K

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.
    chunk
        Tokens of a chunk (``attention_chunk_size``).

    Returns
    -------
    Twice the number of pairs, the diagonal counted half.

    Notes
    -----
    The continuous counterpart of the causal count.

    Examples
    --------
    >>> chunk_half_channel_flops(16384, 0, 8192)
    134217728

    Source
    ------
    Derived here.
    """
    end = past + sequence
    whole, whole_past = floor_div(end, chunk), floor_div(past, chunk)
    rest, rest_past = end - whole * chunk, past - whole_past * chunk
    return (whole - whole_past) * chunk * chunk + rest * rest - rest_past * rest_past
