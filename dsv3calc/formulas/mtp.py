"""Parameters of a multi-token-prediction module, as papers count them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Elements


@formula(r"N_\mathrm{bare}", "mtp_elements >= 2 * hidden_size**2")
def mtp_without_projection(mtp_elements: Elements, hidden_size: Elements) -> Elements:
    r"""Leave out the projection at the start of a multi-token-prediction module.

    .. math:: N_\mathrm{bare} = N_\mathrm{mtp} - 2 h^2

    Parameters
    ----------
    mtp_elements
        Parameters of the module.
    hidden_size
        Width of the residual stream.

    Returns
    -------
    Parameters.

    Notes
    -----
    ``eh_proj`` takes the hidden state and the embedding of the next token together: 2 h to h.

    Examples
    --------
    DeepSeek-V3, in billions:

    >>> round(mtp_without_projection(11610068224, 7168) / 1e9, 3)
    11.507

    Source
    ------
    deepseek-ai/DeepSeek-V3, README_WEIGHTS.md; derived here.
    """
    return mtp_elements - 2 * hidden_size**2


@formula(r"N_\mathrm{whole}")
def mtp_with_shared(
    mtp_elements: Elements, inactive_elements: Elements, vocab_size: Elements, hidden_size: Elements
) -> Elements:
    r"""Count a multi-token-prediction module with the embedding and head that it shares.

    .. math:: N_\mathrm{whole} = N_\mathrm{mtp} - N_\mathrm{idle} + 2 V h

    Parameters
    ----------
    mtp_elements
        Parameters of the module.
    inactive_elements
        Parameters of the module that a token does not use, or 0.
    vocab_size
        Tokens of the vocabulary.
    hidden_size
        Width of the residual stream.

    Returns
    -------
    Parameters.

    Notes
    -----
    With ``inactive_elements`` it is what a token uses; with 0 it is what a checkpoint stores that
    has copies of embedding and head.

    Examples
    --------
    Stored with DeepSeek-V3, in billions:

    >>> round(mtp_with_shared(11610068224, 0, 129280, 7168) / 1e9, 2)
    13.46

    Source
    ------
    deepseek-ai/DeepSeek-V3, README_WEIGHTS.md.
    """
    return mtp_elements - inactive_elements + 2 * vocab_size * hidden_size
