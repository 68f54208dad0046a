"""What the grouped products of routed experts compute and move on one GPU."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import (
    Bits,
    Bytes,
    Count,
    Elements,
    Expected,
    FractionalBytes,
    FractionalFlops,
    Ratio,
    Tokens,
)
from dsv3calc.numbers.ops import ratio


@formula(r"n_\mathrm{row}")
def expert_rows(
    tokens: Tokens, num_experts_per_tok: Count, ep: Count, imbalance: Ratio
) -> Expected:
    r"""Give the rows that the experts of the most loaded GPU compute.

    .. math:: n_\mathrm{row} = \frac{T k f_\mathrm{hot}}{P_e}

    Parameters
    ----------
    tokens
        Tokens of the whole expert-parallel group.
    num_experts_per_tok
        Experts that serve each.
    ep
        GPUs that experts are spread over.
    imbalance
        Rows of the most loaded GPU over the mean: 1 where routing is balanced.

    Returns
    -------
    Rows, one for each copy of a token.

    Notes
    -----
    All GPUs wait for the most loaded one.

    Examples
    --------
    DeepSeek-V3, 128 tokens on each of 32 GPUs:

    >>> expert_rows(4096, 8, 32, 1)
    1024

    Source
    ------
    Derived here.
    """
    return ratio(tokens * num_experts_per_tok * imbalance, ep)


@formula(r"E_\mathrm{gpu}", result=("result >= 0", "result * ep <= n_routed_experts * 1.000001"))
def hit_experts(
    n_routed_experts: Count, num_experts_per_tok: Count, tokens: Tokens, ep: Count
) -> Expected:
    r"""Give the expected number of its experts that a GPU reads for a batch.

    .. math:: E_\mathrm{gpu} = \frac{E}{P_e} \left( 1 - \left( 1 - \frac{k}{E} \right)^T \right)

    Parameters
    ----------
    n_routed_experts, num_experts_per_tok
        Experts of a layer, and how many of them serve one token.
    tokens
        Tokens of the whole expert-parallel group.
    ep
        GPUs that experts are spread over.

    Returns
    -------
    Expected number of local experts that at least one token goes to.

    Notes
    -----
    Tokens choose independently, each expert equally likely. Routing that gives every expert the
    same number of tokens, as in benchmarks, uses as many experts as there are rows, at most all.

    Examples
    --------
    32 tokens of DeepSeek-V3 reach 163 of its 256 experts, 5 of the 8 of each of 32 GPUs:

    >>> round(hit_experts(256, 8, 32, 32), 2)
    5.1

    Source
    ------
    Derived here: an expert is missed by one token with probability 1 - k/E, by T tokens with the
    T-th power of that.
    """
    missed = (1 - ratio(num_experts_per_tok, n_routed_experts)) ** tokens
    return ratio(n_routed_experts, ep) * (1 - missed)


@formula(r"F_\mathrm{expert}")
def expert_flops(
    expert_rows_here: Expected, hidden_size: Elements, moe_intermediate_size: Elements
) -> FractionalFlops:
    r"""Count the FLOPs of gate, up and down projection over the rows of a GPU.

    .. math:: F_\mathrm{expert} = 6 n_\mathrm{row,gpu} h d_e

    Parameters
    ----------
    expert_rows_here
        Rows that the experts of the GPU compute.
    hidden_size, moe_intermediate_size
        Widths of the model and of an expert.

    Returns
    -------
    FLOPs.

    Notes
    -----
    A gated feed-forward has three matrices.

    Examples
    --------
    One row of DeepSeek-V3:

    >>> expert_flops(1, 7168, 2048)
    88080384

    Source
    ------
    Definition.
    """
    return 6 * expert_rows_here * hidden_size * moe_intermediate_size


@formula(r"Q_\mathrm{expert}")
def expert_weight_bytes(
    hit_here: Expected, hidden_size: Elements, moe_intermediate_size: Elements, weight_bits: Bits
) -> Bytes:
    r"""Count the bytes of the weights of the experts that a batch hits on a GPU.

    .. math:: Q_\mathrm{expert} = \frac{3 E_\mathrm{here} h d_e b_\mathrm{w}}{8}

    Parameters
    ----------
    hit_here
        Local experts that at least one token goes to.
    hidden_size, moe_intermediate_size
        Widths of the model and of an expert.
    weight_bits
        Width of a weight.

    Returns
    -------
    Bytes.

    Notes
    -----
    Each expert is read once; scales of blocks are left out.

    Examples
    --------
    One expert of DeepSeek-V3 in FP8:

    >>> expert_weight_bytes(1, 7168, 2048, 8)
    44040192

    Source
    ------
    Definition.
    """
    return ratio(3 * hit_here * hidden_size * moe_intermediate_size * weight_bits, 8)


@formula(r"Q_\mathrm{permute}")
def expert_activation_bytes(
    expert_rows_here: Expected,
    rank_tokens: Tokens,
    hidden_size: Elements,
    moe_intermediate_size: Elements,
) -> FractionalBytes:
    r"""Count the bytes that permuting, casting, SwiGLU and combining move beside the products.

    .. math:: Q_\mathrm{permute} = n_\mathrm{row,gpu} (10 h + 8 d_e) + 4 T_\mathrm{rank} h

    Parameters
    ----------
    expert_rows_here
        Rows that the experts of the GPU compute.
    rank_tokens
        Tokens that the operator receives and returns, all in BF16: those of the whole group where
        it selects its own rows, 0 where a dispatch has done so before.
    hidden_size, moe_intermediate_size
        Widths of the model and of an expert.

    Returns
    -------
    Bytes.

    Notes
    -----
    For each row ten bytes an element of the hidden state (permuted copy written and read, cast,
    result written and read) and eight of the intermediate one (gate and up written and read, their
    product written and read); for each token one read and one write in BF16.

    Examples
    --------
    One row of DeepSeek-V3 after a dispatch:

    >>> expert_activation_bytes(1, 0, 7168, 2048)
    88064

    Source
    ------
    Derived here.
    """
    return (
        expert_rows_here * (10 * hidden_size + 8 * moe_intermediate_size)
        + 4 * rank_tokens * hidden_size
    )
