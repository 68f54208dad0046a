"""Optimizers of matrices: what orthogonalising an update computes, and what it gathers."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Bits, Bytes, Count, Elements, Flops
from dsv3calc.numbers.ops import maximum, minimum, ratio


@formula(r"F_\mathrm{NS}")
def newton_schulz_flops(
    newton_schulz_steps: Count, copies: Count, out_features: Elements, in_features: Elements
) -> Flops:
    r"""Count the FLOPs of orthogonalising the updates of a matrix by Newton-Schulz steps.

    .. math::

        F_\mathrm{NS} = n_\mathrm{NS} c (4 \min(d_\mathrm{out}, d_\mathrm{in})^2
            \max(d_\mathrm{out}, d_\mathrm{in}) + 2 \min(d_\mathrm{out}, d_\mathrm{in})^3)

    Parameters
    ----------
    newton_schulz_steps
        Steps of the iteration.
    copies
        Matrices of this shape, each orthogonalised on its own.
    out_features, in_features
        Shape of the matrix.

    Returns
    -------
    FLOPs of a step of the optimizer.

    Notes
    -----
    A step maps X, with no more rows m than columns n, to aX + (bA + cA^2)X with A = XX^T: products
    of 2m^2 n, 2m^3 and 2m^2 n FLOPs. No use is made of the symmetry of A; norms and sums of
    matrices are not counted.

    Examples
    --------
    An expert's projection in DeepSeek-V3, 2048 x 7168:

    >>> newton_schulz_flops(5, 1, 2048, 7168)
    687194767360

    For square matrices that is 5 x 6 m^3, against 6 m^2 FLOPs for each token of a step: 0.7 % at
    768 channels and 524,288 tokens.

    >>> round(newton_schulz_flops(5, 1, 768, 768) / (6 * 768**2 * 524288), 4)
    0.0073

    Source
    ------
    Keller Jordan, "Muon: An optimizer for hidden layers in neural networks" (2024), runtime
    analysis; arXiv:2502.16982 §2.1, equation 2.
    """
    short = minimum(out_features, in_features)
    long = maximum(out_features, in_features)
    return newton_schulz_steps * copies * (4 * short * short * long + 2 * short * short * short)


@formula(r"B_\mathrm{gather}")
def gathered_matrix_bytes(elements: Elements, bits: Bits, divisor: Count) -> Bytes:
    r"""Count what a GPU receives so that whole matrices can be orthogonalised.

    .. math:: B_\mathrm{gather} = \frac{N b (n_\mathrm{div} - 1)}{8 n_\mathrm{div}^2}

    Parameters
    ----------
    elements
        Elements of the matrices that the GPUs divide.
    bits
        Width in which the updates are gathered.
    divisor
        GPUs that the matrices' optimizer states are divided among.

    Returns
    -------
    Bytes received by each GPU, on average.

    Notes
    -----
    Each matrix is gathered by one of the GPUs that divide it, which has a share of it already. A
    library that gathers every matrix on every GPU receives as many times more as there are GPUs.

    Examples
    --------
    A billion elements in BF16, divided among 8 GPUs:

    >>> gathered_matrix_bytes(10**9, 16, 8)
    218750000

    Source
    ------
    Derived here, for the gathering step of arXiv:2502.16982 §2.3, algorithm 1.
    """
    return ratio(elements * bits * (divisor - 1), 8 * divisor * divisor)
