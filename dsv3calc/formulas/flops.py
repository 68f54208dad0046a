"""FLOPs of matrix products, and the two rules of thumb that papers use instead."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count, Elements, Flops, Ratio, Tokens
from dsv3calc.numbers.ops import ratio


@formula(r"F")
def linear_flops(
    tokens: Tokens, layers: Count, copies: Count, out_features: Elements, in_features: Elements
) -> Flops:
    r"""Count the FLOPs of a linear layer over the tokens of a forward pass.

    .. math:: F = 2 T \ell c d_\mathrm{out} d_\mathrm{in}

    Parameters
    ----------
    tokens
        Tokens that pass through.
    layers
        Layers that have it.
    copies
        How many of it one token passes through in a layer (1, or the experts per token).
    out_features, in_features
        Shape of the matrix.

    Returns
    -------
    Matmul FLOPs of the forward pass.

    Notes
    -----
    A multiply-add is 2 FLOP. Adding a bias is not counted.

    Examples
    --------
    ``o_proj`` of DeepSeek-V3 for one token:

    >>> linear_flops(1, 61, 1, 7168, 16384)
    14327742464

    Source
    ------
    arXiv:2204.02311, appendix B.
    """
    return 2 * tokens * layers * copies * out_features * in_features


@formula(r"F_{6N}")
def six_n_flops(flops_per_parameter: Count, active: Elements, tokens: Tokens) -> Flops:
    r"""Count FLOPs by the rule of thumb: 2 per active parameter and token forward, 6 in training.

    .. math:: F_{6N} = f N_\mathrm{active} T

    Parameters
    ----------
    flops_per_parameter
        2 for a forward pass, 6 for forward and backward.
    active
        Active parameters, without the input embedding.
    tokens
        Tokens processed.

    Returns
    -------
    FLOPs by that rule.

    Notes
    -----
    Leaves attention scores out, and counts norms and biases as if they were matrices.

    Examples
    --------
    >>> six_n_flops(6, 36625618432, 1)
    219753710592

    Source
    ------
    arXiv:2001.08361 §2.1.
    """
    return flops_per_parameter * active * tokens


@formula(r"F_{12Lh^2}")
def twelve_l_h2_flops(
    flops_per_parameter: Count,
    num_hidden_layers: Count,
    hidden_size: Elements,
    vocab_size: Elements,
    tokens: Tokens,
) -> Flops:
    r"""Count FLOPs of a generic transformer block (4h² of attention, 8h² of MLP) and the head.

    .. math:: F_{12Lh^2} = f (12 L h^2 + V h) T

    Parameters
    ----------
    flops_per_parameter
        2 for a forward pass, 6 for forward and backward.
    num_hidden_layers, hidden_size, vocab_size
        Depth, width and vocabulary.
    tokens
        Tokens processed.

    Returns
    -------
    FLOPs by that rule.

    Notes
    -----
    Ignores the real FFN width, GQA and attention scores: only for reproducing papers.

    Examples
    --------
    Qwen-72B in Table 2 of arXiv:2505.09343, 394 GFLOP per token:

    >>> twelve_l_h2_flops(6, 80, 8192, 152064, 1)
    394021306368

    Source
    ------
    Inferred from the dense rows of Table 2 of arXiv:2505.09343.
    """
    return (
        flops_per_parameter
        * (12 * num_hidden_layers * hidden_size**2 + vocab_size * hidden_size)
        * tokens
    )


@formula(r"F_\mathrm{step}")
def training_flops(passes: Count, forward: Flops) -> Flops:
    r"""Count the FLOPs of forward and backward together.

    .. math:: F_\mathrm{step} = n_\mathrm{pass} F_\mathrm{fwd}

    Parameters
    ----------
    passes
        3 where gradients of inputs and of weights are computed, 1 where none is; one more where the
        forward pass is computed again.
    forward
        FLOPs of the forward pass.

    Returns
    -------
    FLOPs of a training step.

    Notes
    -----
    Recomputation is a cost of the layout, not of the model: it is counted only on request.

    Examples
    --------
    >>> training_flops(3, 1000)
    3000

    Source
    ------
    arXiv:2204.02311, appendix B.
    """
    return passes * forward


@formula(r"\rho_F", "reference_flops >= 1")
def flops_ratio(flops: Flops, reference_flops: Flops) -> Ratio:
    r"""Give the FLOPs of one pass over those of another.

    .. math:: \rho_F = \frac{F}{F_\mathrm{ref}}

    Parameters
    ----------
    flops
        FLOPs of the pass.
    reference_flops
        FLOPs of the pass that it is compared with.

    Returns
    -------
    Share of the reference; more than one where the pass costs more.

    Notes
    -----
    Each FLOP counts as one, whatever it is computed in.

    Examples
    --------
    >>> flops_ratio(303, 1212)
    0.25

    Source
    ------
    Definition.
    """
    return ratio(flops, reference_flops)
