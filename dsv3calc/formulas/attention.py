"""Attention: widths of its projections, and FLOPs of its core under three ways of counting.

A *channel FLOP count* is twice the number of (query, key) pairs: the FLOPs that one channel of one
head spends on scores (or on weighted values), 2 per multiply-add. It is an integer under every
convention, also where the papers' S²/2 would be half a pair.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count, Elements, Flops, Tokens


@formula(r"d_q")
def mla_query_width(
    num_attention_heads: Count, qk_nope_head_dim: Elements, qk_rope_head_dim: Elements
) -> Elements:
    r"""Give the width of MLA's queries, all heads together.

    .. math:: d_q = n_h (d_n + d_r)

    Parameters
    ----------
    num_attention_heads
        Query heads.
    qk_nope_head_dim, qk_rope_head_dim
        Channels of a head without and with rotary embedding.

    Returns
    -------
    Output features of ``q_b_proj`` (or ``q_proj``).

    Notes
    -----
    Exact.

    Examples
    --------
    >>> mla_query_width(128, 128, 64)
    24576

    Source
    ------
    arXiv:2405.04434 §2.1.2, eq. 12-13 and §2.1.3, eq. 14.
    """
    return num_attention_heads * (qk_nope_head_dim + qk_rope_head_dim)


@formula(r"d_{ckv}")
def mla_kv_down_width(kv_lora_rank: Elements, qk_rope_head_dim: Elements) -> Elements:
    r"""Give the width of what MLA caches for a token: the latent and one rotary key.

    .. math:: d_{ckv} = d_c + d_r

    Parameters
    ----------
    kv_lora_rank
        Width of the compressed latent.
    qk_rope_head_dim
        Channels of the rotary key that all heads share.

    Returns
    -------
    Output features of ``kv_a_proj_with_mqa``, and elements cached per token and layer.

    Notes
    -----
    Exact.

    Examples
    --------
    >>> mla_kv_down_width(512, 64)
    576

    Source
    ------
    arXiv:2405.04434 §2.1.2, eq. 9 and §2.1.3.
    """
    return kv_lora_rank + qk_rope_head_dim


@formula(r"d_{kv}")
def mla_kv_up_width(
    num_attention_heads: Count, qk_nope_head_dim: Elements, v_head_dim: Elements
) -> Elements:
    r"""Give the width of the keys and values that MLA expands from its latent.

    .. math:: d_{kv} = n_h (d_n + d_v)

    Parameters
    ----------
    num_attention_heads
        Heads.
    qk_nope_head_dim, v_head_dim
        Channels of a head's key without rotary part, and of its value.

    Returns
    -------
    Output features of ``kv_b_proj``.

    Notes
    -----
    Exact.

    Examples
    --------
    >>> mla_kv_up_width(128, 128, 128)
    32768

    Source
    ------
    arXiv:2405.04434 §2.1.2, eq. 10-11.
    """
    return num_attention_heads * (qk_nope_head_dim + v_head_dim)


@formula(r"d_\mathrm{heads}")
def heads_width(heads: Count, head_dim: Elements) -> Elements:
    r"""Give the width of a number of heads together.

    .. math:: d_\mathrm{heads} = n d_h

    Parameters
    ----------
    heads
        Query heads, key-value heads or indexer heads.
    head_dim
        Channels of one.

    Returns
    -------
    Features of the projection.

    Notes
    -----
    Not always ``hidden_size``: Qwen3-32B has 64 heads of 128 on a hidden size of 5120.

    Examples
    --------
    >>> heads_width(8, 128)
    1024

    Source
    ------
    arXiv:2305.13245 §2.2.
    """
    return heads * head_dim


@formula(r"C_\mathrm{full}")
def full_channel_flops(sequence: Tokens, past: Tokens) -> Flops:
    r"""Count one channel's FLOPs over all query-key pairs, masked ones included.

    .. math:: C_\mathrm{full} = 2 S (P + S)

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.

    Returns
    -------
    Twice the number of (query, key) pairs.

    Notes
    -----
    What an un-masked kernel computes, and what several tools report.

    Examples
    --------
    >>> full_channel_flops(4096, 0)
    33554432

    Source
    ------
    Definition: S(P+S) pairs.
    """
    return 2 * sequence * (past + sequence)


@formula(r"C_\mathrm{causal}")
def causal_channel_flops(sequence: Tokens, past: Tokens) -> Flops:
    r"""Count one channel's FLOPs under the causal mask, exactly.

    .. math:: C_\mathrm{causal} = 2 S P + S (S + 1)

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.

    Returns
    -------
    Twice the number of (query, key) pairs that are not masked.

    Notes
    -----
    Each query sees itself and everything before it.

    Examples
    --------
    >>> causal_channel_flops(4096, 0)
    16781312

    Source
    ------
    Derived here: the sum of past + i over i = 1..S is S P + S(S+1)/2 pairs.
    """
    return 2 * sequence * past + sequence * (sequence + 1)


@formula(r"C_\mathrm{half}")
def half_channel_flops(sequence: Tokens, past: Tokens) -> Flops:
    r"""Count one channel's FLOPs as half of the score matrix, as papers do.

    .. math:: C_\mathrm{half} = 2 S P + S^2

    Parameters
    ----------
    sequence, past
        New tokens and cached tokens of one sequence.

    Returns
    -------
    Twice the number of pairs, the diagonal counted half.

    Notes
    -----
    Below the exact causal count by the S/2 pairs of the diagonal.

    Examples
    --------
    >>> half_channel_flops(4096, 0)
    16777216

    Source
    ------
    Inferred from Tables 2 and 4 of arXiv:2505.09343, which only S²/2 reproduces.
    """
    return 2 * sequence * past + sequence * sequence


@formula(r"F_\mathrm{core}")
def attention_core_flops(
    batch: Count, layers: Count, heads: Count, head_channels: Elements, channel_flops: Flops
) -> Flops:
    r"""Count the FLOPs of scores (or of weighted values) over all heads, layers and sequences.

    .. math:: F_\mathrm{core} = B \ell n d_\mathrm{ch} C

    Parameters
    ----------
    batch
        Sequences in the batch.
    layers
        Layers that attend in this way.
    heads
        Query heads of a layer.
    head_channels
        Channels that a score sums over, or that a weighted value has.
    channel_flops
        FLOPs of one channel of one head over one sequence.

    Returns
    -------
    Matmul FLOPs; softmax, masks and rotary embedding are not counted.

    Notes
    -----
    Key-value heads that are shared save bytes, not FLOPs.

    Examples
    --------
    Scores of DeepSeek-V3 in one 4,096-token sequence, exactly causal:

    >>> attention_core_flops(1, 61, 128, 192, 16781312)
    25157468946432

    Source
    ------
    arXiv:2204.02311, appendix B.
    """
    return batch * layers * heads * head_channels * channel_flops


@formula(r"d_\mathrm{idx}")
def indexer_channels(index_head_dim: Elements) -> Elements:
    r"""Count the channels of an indexer head: its score, and its weight in the sum over heads.

    .. math:: d_\mathrm{idx} = d_I + 1

    Parameters
    ----------
    index_head_dim
        Channels that a head's score sums over.

    Returns
    -------
    Multiply-adds for each head and (query, key) pair.

    Notes
    -----
    The weighted sum over heads is one multiply-add for each head; ReLU and top-k are not counted.

    Examples
    --------
    >>> indexer_channels(128)
    129

    Source
    ------
    DeepSeek-V3.2-Exp report, §1, eq. 1.
    """
    return index_head_dim + 1
