"""Activations as Megatron-LM's theoretical memory report counts them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import Bytes, Count, Elements, Ratio, Tokens
from dsv3calc.numbers.ops import ratio


@formula(r"B_\mathrm{meg}")
def megatron_activations(
    num_hidden_layers: Count,
    batch: Count,
    sequence: Tokens,
    hidden_size: Elements,
    intermediate_size: Elements,
    tp: Count,
) -> Bytes:
    r"""Give the activations that Megatron-LM reports for the first stage, layers alone.

    .. math:: B_\mathrm{meg} = \frac{L B S (18 h + 4 d_f)}{P_t}

    Parameters
    ----------
    num_hidden_layers
        Layers of the whole model: the first stage has its share of them, and as many micro-batches
        in flight as there are stages.
    batch, sequence
        Sequences of a micro-batch, and tokens of each.
    hidden_size, intermediate_size
        Widths of the residual stream and of the feed-forward, ungated, in every layer.
    tp
        Tensor-parallel GPUs, over which everything is divided.

    Returns
    -------
    Bytes.

    Notes
    -----
    Sequence parallelism and recomputation of attention's core. Every layer is treated as a dense
    one with attention heads as wide as the residual stream: no experts, no gates and no latent
    attention.

    Examples
    --------
    DeepSeek-V3 with one sequence of 4,096 tokens, 47.2 GiB:

    >>> megatron_activations(61, 1, 4096, 7168, 18432, 1)
    50658803712

    Source
    ------
    NVIDIA/Megatron-LM at d98e8a64, ``megatron/training/theoretical_memory_usage.py``.
    """
    per_token = 18 * hidden_size + 4 * intermediate_size
    return ratio(num_hidden_layers * batch * sequence * per_token, tp)


@formula(r"B_\mathrm{megin}")
def megatron_input_activations(
    pp: Count, batch: Count, sequence: Tokens, hidden_size: Elements, tp: Count
) -> Bytes:
    r"""Give the activations that Megatron-LM reports for the embedding of the first stage.

    .. math:: B_\mathrm{megin} = \frac{P_p B S (8 + h)}{P_t}

    Parameters
    ----------
    pp
        Pipeline stages: as many micro-batches are in flight.
    batch, sequence
        Sequences of a micro-batch, and tokens of each.
    hidden_size
        Width of the residual stream.
    tp
        Tensor-parallel GPUs.

    Returns
    -------
    Bytes.

    Notes
    -----
    Eight bytes a token for its number and position, and a mask of dropout, whether there is dropout
    or not.

    Examples
    --------
    >>> megatron_input_activations(16, 1, 4096, 7168, 1)
    470286336

    Source
    ------
    NVIDIA/Megatron-LM at d98e8a64, ``megatron/training/theoretical_memory_usage.py``.
    """
    return ratio(pp * batch * sequence * (8 + hidden_size), tp)


@formula(r"B_\mathrm{megout}")
def megatron_output_activations(
    batch: Count, sequence: Tokens, hidden_size: Elements, vocab_size: Elements, tp: Count
) -> Bytes:
    r"""Give the activations that Megatron-LM reports for the head, where there is one stage.

    .. math:: B_\mathrm{megout} = \frac{4 B S (h + V)}{P_t}

    Parameters
    ----------
    batch, sequence
        Sequences of a micro-batch, and tokens of each.
    hidden_size, vocab_size
        Width of the residual stream, and of the logits in FP32: the padded vocabulary.
    tp
        Tensor-parallel GPUs.

    Returns
    -------
    Bytes.

    Notes
    -----
    With sequence parallelism and selective recomputation. Left out where the pipeline has several
    stages: the first has no head.

    Examples
    --------
    >>> megatron_output_activations(1, 4096, 7168, 129280, 1)
    2235564032

    Source
    ------
    NVIDIA/Megatron-LM at d98e8a64, ``megatron/training/theoretical_memory_usage.py``.
    """
    return ratio(4 * batch * sequence * (hidden_size + vocab_size), tp)


@formula(r"f_\mathrm{il}")
def interleaving_penalty(pp: Count, virtual_pipeline: Count) -> Ratio:
    r"""Give by how much interleaving raises the activations of the first stage.

    .. math:: f_\mathrm{il} = 1 + \frac{P_p - 1}{P_p v}

    Parameters
    ----------
    pp
        Pipeline stages.
    virtual_pipeline
        Chunks of layers of a stage.

    Returns
    -------
    Ratio to the plain schedule.

    Notes
    -----
    Chunks of one size, and micro-batches enough.

    Examples
    --------
    >>> interleaving_penalty(8, 2)
    1.4375

    Source
    ------
    arXiv:2205.05198 §4.2.3; NVIDIA/Megatron-LM, ``theoretical_memory_usage.py``.
    """
    return 1 + ratio(pp - 1, pp * virtual_pipeline)


@formula(r"B_\mathrm{megno}")
def megatron_activations_without_sp(
    num_hidden_layers: Count, batch: Count, sequence: Tokens, hidden_size: Elements, tp: Count
) -> Bytes:
    r"""Give the layers' activations that Megatron-LM reports without sequence parallelism.

    .. math:: B_\mathrm{megno} = L B S h \cdot 10 + \frac{L B S h \cdot 24}{P_t}

    Parameters
    ----------
    num_hidden_layers
        Layers of the whole model: the first stage has its share of them, and as many micro-batches
        in flight as there are stages.
    batch, sequence
        Sequences of a micro-batch, and tokens of each.
    hidden_size
        Width of the residual stream; feed-forwards are taken to be four times as wide.
    tp
        Tensor-parallel GPUs, over which part of it is divided.

    Returns
    -------
    Bytes.

    Notes
    -----
    Every layer is treated as a dense GPT layer with fused attention. The report finally multiplies
    its sum by 1.05.

    Examples
    --------
    >>> megatron_activations_without_sp(61, 1, 4096, 7168, 1)
    60892905472

    Source
    ------
    NVIDIA/Megatron-LM at d98e8a64, ``megatron/training/theoretical_memory_usage.py``.
    """
    tokens = num_hidden_layers * batch * sequence
    return tokens * hidden_size * 10 + ratio(tokens * hidden_size * 24, tp)


@formula(r"B_\mathrm{meglogit}")
def megatron_output_activations_without_sp(
    batch: Count, sequence: Tokens, hidden_size: Elements, vocab_size: Elements, tp: Count
) -> Bytes:
    r"""Give the activations that Megatron-LM reports for the head without sequence parallelism.

    .. math:: B_\mathrm{meglogit} = 2 B S h + \frac{2 B S V}{P_t}

    Parameters
    ----------
    batch, sequence
        Sequences of a micro-batch, and tokens of each.
    hidden_size, vocab_size
        Width of the residual stream, and of the logits in BF16: the padded vocabulary.
    tp
        Tensor-parallel GPUs, over which the logits alone are divided.

    Returns
    -------
    Bytes.

    Notes
    -----
    Left out where the pipeline has several stages: the first has no head. The report finally
    multiplies its sum by 1.05.

    Examples
    --------
    >>> megatron_output_activations_without_sp(1, 4096, 4096, 32000, 2)
    164626432

    Source
    ------
    NVIDIA/Megatron-LM at d98e8a64, ``megatron/training/theoretical_memory_usage.py``.
    """
    tokens = batch * sequence
    return 2 * tokens * hidden_size + ratio(2 * tokens * vocab_size, tp)
