"""How many layers, tokens and elements an architecture has."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import Count, Elements, Tokens
from dsv3calc.numbers.ops import ceil_div, clip, exceeds, maximum, minimum, where


@formula(r"L_g")
def slice_length(num_hidden_layers: Count, start: Count, stop: Count, step: Count) -> Count:
    r"""Count the layers that a slice of the model's depth selects.

    .. math::

        L_g &= \lceil (j_1 - j_0) / s \rceil \\
        j_0 &= \min(\max(i_0, 0), L) \\
        j_1 &= \min(\max(i_1, j_0), L)

    Parameters
    ----------
    num_hidden_layers, start, stop, step
        Depth of the model and the bounds of the slice, counted from 0, stop excluded.

    Returns
    -------
    Number of layers.

    Notes
    -----
    Bounds beyond the depth select nothing more, as in Python.

    Examples
    --------
    DeepSeek-V3 is dense in layers ``0:3`` and MoE in ``3:``.

    >>> slice_length(61, 3, 61, 1)
    58

    Source
    ------
    Derived here: the length of a Python slice.
    """
    first = clip(start, 0, num_hidden_layers)
    last = clip(stop, first, num_hidden_layers)
    return ceil_div(last - first, step)


@formula(r"N")
def matrix_elements(
    layers: Count, copies: Count, out_features: Elements, in_features: Elements
) -> Elements:
    r"""Count the elements of a weight matrix, over the layers and copies of it.

    .. math:: N = \ell c d_\mathrm{out} d_\mathrm{in}

    Parameters
    ----------
    layers
        Layers that have it.
    copies
        How many of it one layer has (1, or the number of experts).
    out_features, in_features
        Shape of the matrix.

    Returns
    -------
    Elements of all copies together.

    Notes
    -----
    Biases, norms and quantisation scales are tensors of their own.

    Examples
    --------
    The routed experts' gate projections of DeepSeek-V3:

    >>> matrix_elements(58, 256, 2048, 7168)
    217969590272

    Source
    ------
    Derived here; the tests compare it with the checkpoints of DeepSeek-V3 and Kimi K2.
    """
    return layers * copies * out_features * in_features


@formula(r"N")
def vector_elements(layers: Count, copies: Count, width: Elements) -> Elements:
    r"""Count the elements of a norm, a bias or another vector that several layers have.

    .. math:: N = \ell c d

    Parameters
    ----------
    layers
        Layers that have it.
    copies
        How many of it one layer has: 2 for a norm with a bias, the number of experts for theirs.
    width
        Its length.

    Returns
    -------
    Elements of all copies together.

    Notes
    -----
    RMSNorm has one vector, LayerNorm with a bias two.

    Examples
    --------
    The two block norms of DeepSeek-V3's 61 layers:

    >>> vector_elements(61, 2, 7168)
    874496

    Source
    ------
    Derived here; the tests compare it with the checkpoints of DeepSeek-V3 and Kimi K2.
    """
    return layers * copies * width


@formula(r"T")
def tokens_processed(batch: Count, sequence: Tokens) -> Tokens:
    r"""Count the tokens of one forward pass.

    .. math:: T = B S

    Parameters
    ----------
    batch
        Sequences in the batch.
    sequence
        New tokens of each sequence.

    Returns
    -------
    Tokens that pass through the model.

    Notes
    -----
    Tokens already cached are not processed again.

    Examples
    --------
    DeepSeek-V3's training step:

    >>> tokens_processed(15360, 4096)
    62914560

    Source
    ------
    Definition; the example is arXiv:2412.19437 §4.2.
    """
    return batch * sequence


@formula(r"T_\mathrm{kv}")
def tokens_in_context(batch: Count, sequence: Tokens, past: Tokens) -> Tokens:
    r"""Count the tokens in the context of a forward pass, cached ones included.

    .. math:: T_\mathrm{kv} = B (P + S)

    Parameters
    ----------
    batch
        Sequences in the batch.
    sequence, past
        New tokens and cached tokens of each sequence.

    Returns
    -------
    Tokens whose keys and values exist after the pass.

    Notes
    -----
    Every sequence of the batch is of the same length.

    Examples
    --------
    >>> tokens_in_context(32, 1, 4096)
    131104

    Source
    ------
    Definition.
    """
    return batch * (past + sequence)


@formula(r"\delta_\mathrm{same}", result=SHARE)
def same_shape(
    shape_rows: Elements, shape_columns: Elements, other_rows: Elements, other_columns: Elements
) -> Count:
    r"""Tell whether two matrices have the same shape.

    .. math::

        \delta_\mathrm{same} = \begin{cases} 0 & \text{if } \max(r_\mathrm{w}, r_\mathrm{w}') -
            \min(r_\mathrm{w}, r_\mathrm{w}') + \max(c_\mathrm{w}, c_\mathrm{w}') -
            \min(c_\mathrm{w}, c_\mathrm{w}') > 0 \\ 1 & \text{else} \end{cases}

    Parameters
    ----------
    shape_rows, shape_columns
        Rows and columns of a matrix on a GPU.
    other_rows, other_columns
        Those of another.

    Returns
    -------
    1 where they have, else 0.

    Notes
    -----
    Rows are output features, columns input features.

    Examples
    --------
    Gate and up projection of DeepSeek-V3's shared expert and of a routed one, without tensor
    parallelism; and where tensor parallelism 2 divides the shared one alone:

    >>> same_shape(4096, 7168, 4096, 7168), same_shape(2048, 7168, 4096, 7168)
    (1, 0)

    Source
    ------
    Derived here.
    """
    apart = (
        maximum(shape_rows, other_rows)
        - minimum(shape_rows, other_rows)
        + maximum(shape_columns, other_columns)
        - minimum(shape_columns, other_columns)
    )
    return where(exceeds(apart, 0), 0, 1)
