"""Elements to bytes, and the scales that block formats store beside them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Bits, Bytes, Count, Elements
from dsv3calc.numbers.ops import ceil_div


@formula(r"N_s")
def block_scales(
    layers: Count,
    copies: Count,
    out_features: Elements,
    in_features: Elements,
    rows: Elements,
    columns: Elements,
) -> Elements:
    r"""Count the scales of a matrix that is quantised in blocks.

    .. math:: N_s = \ell c \lceil d_\mathrm{out} / r_b \rceil \lceil d_\mathrm{in} / c_b \rceil

    Parameters
    ----------
    layers, copies
        Layers that have the matrix, and how many of it one layer has.
    out_features, in_features
        Shape of the matrix.
    rows, columns
        Shape of a block, in output and input features.

    Returns
    -------
    Scales of all copies together.

    Notes
    -----
    A block cut off at the edge has a scale of its own. Each copy is quantised on its own.

    Examples
    --------
    kv_a_proj_with_mqa of DeepSeek-V3 (576 by 7168, blocks of 128 by 128):

    >>> block_scales(61, 1, 576, 7168, 128, 128)
    17080

    Source
    ------
    arXiv:2412.19437 §3.3.2.
    """
    return layers * copies * ceil_div(out_features, rows) * ceil_div(in_features, columns)


@formula(r"B_\mathrm{stored}")
def stored_bytes(elements: Elements, bits: Bits) -> Bytes:
    r"""Convert elements to bytes, elements below a byte packed.

    .. math:: B_\mathrm{stored} = \lceil N b / 8 \rceil

    Parameters
    ----------
    elements
        Number of elements.
    bits
        Width of one.

    Returns
    -------
    Bytes, rounded up to whole ones.

    Notes
    -----
    No alignment or padding of tensors is counted.

    Examples
    --------
    >>> stored_bytes(680571043840, 8)
    680571043840

    Source
    ------
    Definition.
    """
    return ceil_div(elements * bits, 8)
