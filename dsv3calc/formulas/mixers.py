"""Mixers: FLOPs of a recurrence in its forms, positions of its convolution, bytes of its state.

The state of a head is a matrix of ``state_rows`` by ``state_columns``. A product with it costs 2
d_k d_v FLOPs a token. In chunks of C tokens the products are of three sorts: C by C tokens over the
channels of a key, C by C tokens over those of a value, and C tokens with the whole state. How many
of each sort there are depends on the recurrence and on the implementation.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Bits, Bytes, Count, Elements, Flops, Tokens
from dsv3calc.numbers.ops import ceil_div, floor_div


@formula(r"F_\mathrm{rec}")
def recurrence_flops(
    layers: Count,
    batch: Count,
    sequence: Tokens,
    heads: Count,
    state_products: Count,
    state_rows: Elements,
    state_columns: Elements,
) -> Flops:
    r"""Count the FLOPs of a recurrence that goes token by token.

    .. math:: F_\mathrm{rec} = 2 \ell B S n p_\mathrm{state} d_\mathrm{key} d_\mathrm{val}

    Parameters
    ----------
    layers, batch, sequence
        Layers, sequences and new tokens of each.
    heads
        Heads, each with a state of its own.
    state_products
        Products of a token with the state: 3 for a delta rule (what the state holds for the key,
        its correction, the output), 2 for a state space and for linear attention (the update and
        the output).
    state_rows, state_columns
        Rows and columns of the state of a head.

    Returns
    -------
    FLOPs of the forward pass, whatever the length of the context.

    Notes
    -----
    The decay, one multiplication an element of the state, is elementwise and not counted.

    Examples
    --------
    One token in the 36 Gated DeltaNet layers of Qwen3-Next-80B-A3B:

    >>> recurrence_flops(36, 1, 1, 32, 3, 128, 128)
    113246208

    Source
    ------
    Derived here from the recurrences of arXiv:2412.06464 eq. 10 (delta rule), arXiv:2405.21060
    eq. 2 (state space) and arXiv:2501.08313 §2.2 (lightning attention).
    """
    return 2 * layers * batch * sequence * heads * state_products * state_rows * state_columns


@formula(r"F_\mathrm{chunk}")
def chunked_flops(
    layers: Count,
    batch: Count,
    sequence: Tokens,
    chunk_size: Tokens,
    heads: Count,
    key_products: Count,
    value_products: Count,
    state_products: Count,
    state_rows: Elements,
    state_columns: Elements,
) -> Flops:
    r"""Count the matrix products of a recurrence in chunks, the last one padded.

    .. math::

        F_\mathrm{chunk} = 2 \ell B \lceil S / C_\mathrm{chunk} \rceil n C_\mathrm{chunk}
            (C_\mathrm{chunk} (p_\mathrm{key} d_\mathrm{key} + p_\mathrm{val} d_\mathrm{val}) +
            p_\mathrm{state} d_\mathrm{key} d_\mathrm{val})

    Parameters
    ----------
    layers, batch, sequence
        Layers, sequences and new tokens of each.
    chunk_size
        Tokens of a chunk.
    heads
        Heads, or groups of heads that share the products.
    key_products, value_products, state_products
        Products of a chunk over the channels of a key, over those of a value, and with the state.
    state_rows, state_columns
        Rows and columns of the state of a head.

    Returns
    -------
    FLOPs of the forward pass.

    Notes
    -----
    Masked pairs of tokens within a chunk count. Elementwise work and the inverse of a triangular
    matrix, which is no matrix product, are left out.

    Examples
    --------
    Gated DeltaNet of Qwen3-Next on 4096 tokens as transformers computes it, 36 layers:

    >>> chunked_flops(36, 1, 4096, 64, 32, 2, 1, 3, 128, 128)
    695784701952

    Source
    ------
    Derived here from the chunked forms of arXiv:2412.06464 §3.3 and arXiv:2405.21060 §6; equal to
    torch's FLOP counter on transformers' code with the products of that code.
    """
    within = chunk_size * (key_products * state_rows + value_products * state_columns)
    across = state_products * state_rows * state_columns
    chunks = batch * ceil_div(sequence, chunk_size)
    return 2 * layers * chunks * heads * chunk_size * (within + across)


@formula(r"F_\mathrm{block}")
def blocked_flops(
    layers: Count,
    batch: Count,
    sequence: Tokens,
    chunk_size: Tokens,
    heads: Count,
    state_rows: Elements,
    state_columns: Elements,
) -> Flops:
    r"""Count the matrix products of lightning attention in blocks, the last one not padded.

    .. math::

        F_\mathrm{block} &= 2 \ell B n ((\lfloor S / C_\mathrm{chunk} \rfloor C_\mathrm{chunk}^2 +
            r^2) (d_\mathrm{key} + d_\mathrm{val}) + 2 S d_\mathrm{key} d_\mathrm{val}) \\
        r &= S - \lfloor S / C_\mathrm{chunk} \rfloor C_\mathrm{chunk}

    Parameters
    ----------
    layers, batch, sequence
        Layers, sequences and new tokens of each.
    chunk_size
        Tokens of a block.
    heads
        Heads, each with a state of its own.
    state_rows, state_columns
        Rows and columns of the state of a head.

    Returns
    -------
    FLOPs of the forward pass: scores and values within a block, the state's output and update.

    Notes
    -----
    Masked pairs of tokens within a block count.

    Examples
    --------
    The 16 lightning layers of a model with 32 heads of 128 channels, on 1024 tokens:

    >>> blocked_flops(16, 1, 1024, 256, 32, 128, 128)
    103079215104

    Source
    ------
    arXiv:2401.04658 §3, algorithm 1; equal to torch's FLOP counter on transformers' code.
    """
    blocks = floor_div(sequence, chunk_size)
    rest = sequence - blocks * chunk_size
    pairs = blocks * chunk_size**2 + rest**2
    within = pairs * (state_rows + state_columns)
    across = 2 * sequence * state_rows * state_columns
    return 2 * layers * batch * heads * (within + across)


@formula(r"F_\mathrm{inter}")
def chunk_states_flops(
    layers: Count,
    batch: Count,
    sequence: Tokens,
    chunk_size: Tokens,
    heads: Count,
    state_rows: Elements,
    state_columns: Elements,
) -> Flops:
    r"""Count the product that carries states from each chunk to every other, as transformers does.

    .. math::

        F_\mathrm{inter} = 2 \ell B n (\lceil S / C_\mathrm{chunk} \rceil + 1)^2 d_\mathrm{key}
            d_\mathrm{val}

    Parameters
    ----------
    layers, batch, sequence
        Layers, sequences and new tokens of each.
    chunk_size
        Tokens of a chunk.
    heads
        Heads, each with a state of its own.
    state_rows, state_columns
        Rows and columns of the state of a head.

    Returns
    -------
    FLOPs of the forward pass.

    Notes
    -----
    Kernels go from chunk to chunk instead, without a matrix product.

    Examples
    --------
    The 54 Mamba-2 layers of Nemotron-H-56B on 4096 tokens:

    >>> chunk_states_flops(54, 1, 4096, 128, 256, 256, 64)
    493300482048

    Source
    ------
    transformers 5.24, torch_forward of Mamba-2; equal to torch's FLOP counter.
    """
    states = ceil_div(sequence, chunk_size) + 1
    return 2 * layers * batch * heads * states**2 * state_rows * state_columns


@formula(r"T_\mathrm{conv}")
def convolved_positions(batch: Count, sequence: Tokens, conv_kernel: Count) -> Tokens:
    r"""Count the positions of a causal convolution that pads on both sides, as transformers' does.

    .. math:: T_\mathrm{conv} = B (S + k_\mathrm{conv} - 1)

    Parameters
    ----------
    batch, sequence
        Sequences, and new tokens of each.
    conv_kernel
        Inputs that one output sums over.

    Returns
    -------
    Positions that are computed; those after the last token are cut off.

    Notes
    -----
    A kernel computes one position for each token.

    Examples
    --------
    >>> convolved_positions(1, 128, 4)
    131

    Source
    ------
    torch.nn.Conv1d with padding of one less than the kernel, as in transformers 5.24.
    """
    return batch * (sequence + conv_kernel - 1)


@formula(r"n_\mathrm{col}")
def kept_inputs(conv_kernel: Count) -> Count:
    r"""Count the inputs of a causal convolution that a sequence keeps for its next token.

    .. math:: n_\mathrm{col} = k_\mathrm{conv} - 1

    Parameters
    ----------
    conv_kernel
        Inputs that one output sums over, the new one among them.

    Returns
    -------
    Earlier inputs.

    Notes
    -----
    transformers keeps as many as the kernel spans.

    Examples
    --------
    >>> kept_inputs(4)
    3

    Source
    ------
    Definition of a causal convolution.
    """
    return conv_kernel - 1


@formula(r"n_\mathrm{state}")
def kept_states(tokens: Tokens, state_interval: Tokens) -> Count:
    r"""Count the states that a sequence keeps where some are copied for prefix caching.

    .. math:: n_\mathrm{state} = 1 + \lfloor T / T_\mathrm{state} \rfloor

    Parameters
    ----------
    tokens
        Tokens of the sequence.
    state_interval
        Tokens from one copy to the next: a state cannot be cut back to an earlier token, so a
        prefix can be resumed only at a copy.

    Returns
    -------
    The state at the end of the sequence, and a copy for each whole interval.

    Notes
    -----
    An engine that evicts copies keeps fewer.

    Examples
    --------
    >>> kept_states(4096, 1024)
    5

    Source
    ------
    Derived here.
    """
    return 1 + floor_div(tokens, state_interval)


@formula(r"B_\mathrm{state}")
def state_bytes(batch: Count, layers: Count, elements: Elements, bits: Bits) -> Bytes:
    r"""Give the bytes of a state of fixed size.

    .. math:: B_\mathrm{state} = B \ell \lceil N b / 8 \rceil

    Parameters
    ----------
    batch, layers
        Sequences, and layers that keep a state for each.
    elements, bits
        Elements of one layer and one sequence, and the width of each.

    Returns
    -------
    Bytes, whatever the length of the sequences.

    Notes
    -----
    Exact where elements are of whole bytes.

    Examples
    --------
    The recurrent states of Qwen3-Next-80B-A3B in FP32:

    >>> state_bytes(1, 36, 32 * 128 * 128, 32)
    75497472

    Source
    ------
    Definition.
    """
    return batch * layers * ceil_div(elements * bits, 8)
