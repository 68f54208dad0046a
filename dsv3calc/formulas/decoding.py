"""The limit that communication sets to decoding, and what multi-token prediction gains."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Count, Elements, Ratio, Seconds
from dsv3calc.numbers.ops import floor_div, ratio


@formula(r"h_\mathrm{K}")
def hidden_in_thousands(hidden_size: Elements) -> Elements:
    r"""Cut a hidden size to whole thousands, as a paper says 7K for 7168.

    .. math:: h_\mathrm{K} = 1000 \lfloor h / 1000 \rfloor

    Parameters
    ----------
    hidden_size
        Width of the residual stream.

    Returns
    -------
    The largest multiple of 1000 below it.

    Notes
    -----
    A rounding of the paper, not a property of the model.

    Examples
    --------
    >>> hidden_in_thousands(7168)
    7000

    Source
    ------
    arXiv:2505.09343 §2.3.2, whose 120.96 µs take 7K for 7000.
    """
    return 1000 * floor_div(hidden_size, 1000)


@formula(r"t_\mathrm{layer}")
def two_micro_batch_time(communication_seconds: Seconds) -> Seconds:
    r"""Bound the time of a layer in which two micro-batches alternate between links and arithmetic.

    .. math:: t_\mathrm{layer} = 2 t_\mathrm{comm}

    Parameters
    ----------
    communication_seconds
        Dispatch and combine of one micro-batch in one layer.

    Returns
    -------
    Seconds of a layer for both micro-batches.

    Notes
    -----
    Computation is taken to be as short as needed: while one micro-batch communicates the other
    computes, so a layer lasts at least two communications.

    Examples
    --------
    >>> two_micro_batch_time(120)
    240

    Source
    ------
    arXiv:2505.09343 §2.3.2.
    """
    return 2 * communication_seconds


@formula(r"t_\mathrm{tok}")
def time_per_output_token(layers: Count, layer_seconds: Seconds) -> Seconds:
    r"""Bound the time per output token by that of the layers that communicate.

    .. math:: t_\mathrm{tok} = \ell t_\ell

    Parameters
    ----------
    layers
        Layers that dispatch and combine.
    layer_seconds
        Time of one of them.

    Returns
    -------
    Seconds per output token of a request.

    Notes
    -----
    Layers run one after another; everything else in a step is taken to need no time.

    Examples
    --------
    >>> time_per_output_token(61, 0.00024192)
    0.01475712

    Source
    ------
    arXiv:2505.09343 §2.3.2.
    """
    return layers * layer_seconds


@formula(r"\gamma")
def mtp_gain(acceptance: Ratio, mtp_cost: Ratio) -> Ratio:
    r"""Give the speed-up of decoding that one multi-token-prediction module brings.

    .. math:: \gamma = \frac{1 + p}{1 + c_\mathrm{mtp}}

    Parameters
    ----------
    acceptance
        Share of the drafted second tokens that are accepted.
    mtp_cost
        Time that the module adds to a step, over that of the step without it.

    Returns
    -------
    Tokens per second with the module over those without.

    Notes
    -----
    A step yields one token and, with probability ``acceptance``, a second one.

    Examples
    --------
    >>> mtp_gain(0.8, 0)
    1.8

    Source
    ------
    arXiv:2505.09343 §2.3.3 gives acceptance and gain; the cost is derived here.
    """
    return ratio(1 + acceptance, 1 + mtp_cost)
