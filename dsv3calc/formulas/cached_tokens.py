"""Tokens that a KV cache keeps: within a window or a chunk, in whole pages."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import (
    Tokens,
)
from dsv3calc.numbers.ops import ceil_div, floor_div, minimum


@formula(r"T_\mathrm{kept}")
def retained_tokens(tokens: Tokens, window: Tokens) -> Tokens:
    r"""Count the tokens that a layer of limited span keeps.

    .. math:: T_\mathrm{kept} = \min(T, W)

    Parameters
    ----------
    tokens
        Tokens of the sequence.
    window
        Tokens that the layer keeps at most: the sliding window, or the chunk.

    Returns
    -------
    Tokens in the cache of that layer.

    Notes
    -----
    A chunked layer holds a whole chunk at its fullest; this is that bound.

    Examples
    --------
    >>> retained_tokens(8192, 1024)
    1024

    Source
    ------
    Definition; arXiv:2310.06825 §2 for the sliding window.
    """
    return minimum(tokens, window)


@formula(r"T_\mathrm{page}")
def paged_tokens(tokens: Tokens, page_size: Tokens) -> Tokens:
    r"""Round the tokens of a sequence up to whole pages.

    .. math:: T_\mathrm{page} = \lceil T / T_p \rceil T_p

    Parameters
    ----------
    tokens
        Tokens kept.
    page_size
        Tokens of a page (a block of the paged cache).

    Returns
    -------
    Tokens for which memory is taken.

    Notes
    -----
    Each sequence wastes less than one page in each layer.

    Examples
    --------
    >>> paged_tokens(1000, 64)
    1024

    Source
    ------
    arXiv:2309.06180 §4.1.
    """
    return ceil_div(tokens, page_size) * page_size


@formula(r"W_\mathrm{kept}")
def window_kept(window: Tokens) -> Tokens:
    r"""Give the tokens of a full window that the transformers library keeps in its cache.

    .. math:: W_\mathrm{kept} = W - 1

    Parameters
    ----------
    window
        Size of the sliding window or of the chunk.

    Returns
    -------
    Tokens kept between two steps.

    Notes
    -----
    The next query supplies the last key of its window itself. Only under ``--as transformers``.

    Examples
    --------
    >>> window_kept(1024)
    1023

    Source
    ------
    transformers 5.23, ``DynamicSlidingWindowLayer``.
    """
    return window - 1


@formula(r"W_\mathrm{pass}")
def window_with_pass(window: Tokens, pass_tokens: Tokens, page_size: Tokens) -> Tokens:
    r"""Give the most tokens that vLLM keeps of a layer with a window.

    .. math:: W_\mathrm{pass} = W - 1 + T_\mathrm{pass} + T_p

    Parameters
    ----------
    window
        Size of the sliding window or of the chunk.
    pass_tokens
        Tokens of a pass.
    page_size
        Tokens of a page (a block of the paged cache).

    Returns
    -------
    Tokens of a sequence.

    Notes
    -----
    The first token of a pass sees a window before it, and the window may start within a page.

    Examples
    --------
    A window of 1,024 with passes of 1,024 tokens, 129 blocks of 16:

    >>> -(-window_with_pass(1024, 1024, 16) // 16)
    129

    Source
    ------
    vLLM, tests/v1/core/test_kv_cache_utils.py at 002f10e0.
    """
    return window - 1 + pass_tokens + page_size


@formula(r"T_\mathrm{chunk}")
def tokens_in_chunk(tokens: Tokens, chunk: Tokens) -> Tokens:
    r"""Count the tokens of the chunk of the last token, itself included.

    .. math:: T_\mathrm{chunk} = T - K \lfloor (T - 1) / K \rfloor

    Parameters
    ----------
    tokens
        Tokens of the sequence, the last one included.
    chunk
        Tokens of a chunk (``attention_chunk_size``).

    Returns
    -------
    Keys that the last token attends to.

    Notes
    -----
    Chunks start at multiples of ``chunk``, counted from the start of the sequence.

    Examples
    --------
    The first token of a second chunk sees itself alone:

    >>> tokens_in_chunk(8193, 8192)
    1

    Source
    ------
    Derived here: what :func:`chunk_causal_channel_flops` counts for one new token.
    """
    return tokens - chunk * floor_div(tokens - 1, chunk)
