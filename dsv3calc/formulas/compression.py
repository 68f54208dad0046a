"""Attention over compressed tokens: one entry stands for several, as in DeepSeek-V4.

A query at position n sees the entries of the blocks that end before it: as many as whole blocks of
``compress_ratio`` tokens fit in n.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Bytes, Count, Elements, Flops, Tokens
from dsv3calc.numbers.ops import ceil_div, floor_div, minimum, ratio


@formula(r"T_\mathrm{cmp}")
def compressed_tokens(tokens: Tokens, compress_ratio: Tokens) -> Tokens:
    r"""Count the compressed entries of a sequence.

    .. math:: T_\mathrm{cmp} = \lfloor T / m_c \rfloor

    Parameters
    ----------
    tokens
        Tokens of the sequence.
    compress_ratio
        Tokens that one entry stands for.

    Returns
    -------
    Entries in the cache of one layer.

    Notes
    -----
    Tokens of a block that is not complete have no entry yet: they are in the window.

    Examples
    --------
    >>> compressed_tokens(1001, 4)
    250

    Source
    ------
    transformers 5.24, ``modeling_deepseek_v4.py``, ``DeepseekV4CSACompressor``.
    """
    return floor_div(tokens, compress_ratio)


@formula(r"T_\mathrm{wait}")
def waiting_tokens(tokens: Tokens, compress_ratio: Tokens) -> Tokens:
    r"""Count the tokens of a sequence that have no compressed entry yet.

    .. math:: T_\mathrm{wait} = T - m_c \lfloor T / m_c \rfloor

    Parameters
    ----------
    tokens
        Tokens of the sequence.
    compress_ratio
        Tokens that one entry stands for.

    Returns
    -------
    Tokens of the block that is not complete.

    Notes
    -----
    Only under ``--as transformers``: engines keep room for all that may wait.

    Examples
    --------
    >>> waiting_tokens(1001, 128)
    105

    Source
    ------
    transformers 5.24, ``modeling_deepseek_v4.py``, ``DeepseekV4HCACache``.
    """
    return tokens - compress_ratio * floor_div(tokens, compress_ratio)


@formula(r"T_\mathrm{last}")
def last_block_tokens(tokens: Tokens, compress_ratio: Tokens) -> Tokens:
    r"""Count the tokens of the last complete block, which the next one overlaps.

    .. math:: T_\mathrm{last} = m_c \min(\lfloor T / m_c \rfloor, 1)

    Parameters
    ----------
    tokens
        Tokens of the sequence.
    compress_ratio
        Tokens that one entry stands for.

    Returns
    -------
    A whole block, or nothing before the first is complete.

    Notes
    -----
    Only under ``--as transformers``: engines keep room for it from the start.

    Examples
    --------
    >>> last_block_tokens(1001, 4), last_block_tokens(3, 4)
    (4, 0)

    Source
    ------
    transformers 5.24, ``modeling_deepseek_v4.py``, ``DeepseekV4CSACache``.
    """
    return compress_ratio * minimum(floor_div(tokens, compress_ratio), 1)


@formula(r"B_\mathrm{token}")
def compressed_token_bytes(token_bytes: Bytes, compress_ratio: Tokens) -> Bytes:
    r"""Give what one token adds to a cache of compressed entries, on average.

    .. math:: B_\mathrm{token} = \frac{B_\mathrm{entry}}{m_c}

    Parameters
    ----------
    token_bytes
        Bytes of one entry.
    compress_ratio
        Tokens that one entry stands for.

    Returns
    -------
    Bytes of a token in one layer: a fraction where the ratio does not divide the entry's bytes.

    Notes
    -----
    The cache grows by a whole entry with every ``compress_ratio``-th token.

    Examples
    --------
    An entry of 584 bytes for each 128 tokens:

    >>> compressed_token_bytes(584, 128)
    4.5625

    Source
    ------
    Derived here.
    """
    return ratio(token_bytes, compress_ratio)


@formula(r"B_\mathrm{pad}", "entry_multiple >= 1")
def padded_entry_bytes(token_bytes: Bytes, entry_multiple: Bytes) -> Bytes:
    r"""Round an entry of the cache up to a multiple of bytes.

    .. math:: B_\mathrm{pad} = \lceil B_\mathrm{entry} / a_\mathrm{entry} \rceil a_\mathrm{entry}

    Parameters
    ----------
    token_bytes
        Bytes of the values and scales of one entry.
    entry_multiple
        Number of which the bytes of an entry are a multiple.

    Returns
    -------
    Bytes that the entry takes.

    Notes
    -----
    Exact.

    Examples
    --------
    DeepSeek-V4 in vLLM: 448 FP8 values, 64 in BF16, 7 scales of a byte and one byte of padding.

    >>> padded_entry_bytes(448 + 128 + 7, 8)
    584

    Source
    ------
    vllm-project/vllm, pull request 56893.
    """
    return ceil_div(token_bytes, entry_multiple) * entry_multiple


@formula(r"d_\mathrm{cmp}")
def compressor_width(head_dim: Elements, blocks: Count) -> Elements:
    r"""Give the width of a compressor's projection of a token.

    .. math:: d_\mathrm{cmp} = b_c d_h

    Parameters
    ----------
    head_dim
        Channels of an entry.
    blocks
        Blocks that a token contributes to: 2 where neighbouring ones overlap, else 1.

    Returns
    -------
    Output features of the compressor's two projections.

    Notes
    -----
    One projection gives what is averaged, the other the weights of the average.

    Examples
    --------
    >>> compressor_width(512, 2)
    1024

    Source
    ------
    transformers 5.24, ``modeling_deepseek_v4.py``, ``DeepseekV4CSACompressor``.
    """
    return blocks * head_dim


@formula(r"C_\mathrm{mix}")
def mixing_channel_flops(sequence: Tokens, mixed: Count) -> Flops:
    r"""Count one channel's FLOPs when a token's residual streams are mixed with each other.

    .. math:: C_\mathrm{mix} = 2 S n_\mathrm{mix}

    Parameters
    ----------
    sequence
        New tokens of one sequence.
    mixed
        Multiply-adds of one channel of one token: elements of the matrix that mixes the streams.

    Returns
    -------
    Twice the number of multiply-adds.

    Notes
    -----
    The matrix depends on the token; tokens are not mixed with each other.

    Examples
    --------
    Four streams of a hyper-connection:

    >>> mixing_channel_flops(1, 16)
    32

    Source
    ------
    arXiv:2409.19606 §2, eq. 3; transformers 5.24, ``DeepseekV4HyperConnection``.
    """
    return 2 * sequence * mixed
