"""Memory of one GPU: shards of tensors, activations and buffers in bytes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import Bits, Bytes, Count, Elements, Expected, Ratio, Tokens
from dsv3calc.numbers.ops import ceil_div, clip, maximum, minimum, ratio


@formula(r"n_\mathrm{kv/t}")
def key_value_shards(num_key_value_heads: Count, tp: Count) -> Count:
    r"""Give the number of parts that tensor parallelism divides keys and values into.

    .. math:: n_\mathrm{kv/t} = \min(n_{kv}, P_t)

    Parameters
    ----------
    num_key_value_heads
        Key-value heads of a layer.
    tp
        Tensor-parallel GPUs.

    Returns
    -------
    Parts; with more GPUs than heads each head is on several of them.

    Notes
    -----
    One of the two divides the other.

    Examples
    --------
    Eight heads over 16 GPUs: each GPU holds one of the two copies of a head.

    >>> key_value_shards(8, 16), key_value_shards(8, 4)
    (8, 4)

    Source
    ------
    Derived here; the repetition is Megatron-Core's for fewer query groups than ranks.
    """
    return minimum(num_key_value_heads, tp)


@formula(r"N_\mathrm{slot}")
def expert_slots(n_routed_experts: Count, redundant_experts: Count, shared_slots: Count) -> Count:
    r"""Count the places for experts in one layer, over the whole expert-parallel group.

    .. math:: N_\mathrm{slot} = E + \max(n_\mathrm{red}, n_\mathrm{shared})

    Parameters
    ----------
    n_routed_experts
        Routed experts of the layer.
    redundant_experts
        Extra places.
    shared_slots
        Shared experts that are dispatched like routed ones; 0 where they are local.

    Returns
    -------
    Places.

    Notes
    -----
    Shared experts that are routed take places among the redundant ones.

    Examples
    --------
    DeepSeek-V3's decoding unit: 320 GPUs hold one expert of any kind each.

    >>> expert_slots(256, 64, 1)
    320

    Source
    ------
    arXiv:2412.19437 §3.4.2: 64 GPUs host redundant and shared experts.
    """
    return n_routed_experts + maximum(redundant_experts, shared_slots)


@formula(r"B_\mathrm{held}")
def shard_bytes(elements: Elements, bits: Bits, divisor: Count) -> Bytes:
    r"""Give the bytes of a GPU's share of a tensor.

    .. math:: B_\mathrm{held} = \frac{(N b) / 8}{n_\mathrm{div}}

    Parameters
    ----------
    elements
        Elements of the whole tensor.
    bits
        Bits stored for each.
    divisor
        GPUs that it is divided among.

    Returns
    -------
    Bytes: exact where the GPUs divide it, else a mean.

    Notes
    -----
    Nothing is padded.

    Examples
    --------
    Gate projections of four of DeepSeek-V3's experts in BF16:

    >>> shard_bytes(256 * 2048 * 7168, 16, 64)
    117440512

    Source
    ------
    Derived here.
    """
    return ratio(ratio(elements * bits, 8), divisor)


@formula(r"B_\mathrm{fill}")
def block_padding(
    width: Elements, across: Elements, divisor: Count, block: Elements, copies: Count, bits: Bits
) -> Bytes:
    r"""Give the bytes that pad a GPU's part of a block-quantised tensor to whole blocks.

    .. math::

        B_\mathrm{fill} = \frac{((\lceil d / (n_\mathrm{div} d_\mathrm{block}) \rceil
            d_\mathrm{block} n_\mathrm{div} - d) d_\mathrm{across} c b) / 8}{n_\mathrm{div}}

    Parameters
    ----------
    width
        The dimension that is divided.
    across
        The other one.
    divisor
        GPUs that it is divided among.
    block
        Elements of a block along it.
    copies
        Tensors of that shape that the GPU has a part of.
    bits
        Bits stored for each element.

    Returns
    -------
    Bytes on one GPU.

    Notes
    -----
    Each part is padded by itself; none where it is whole blocks.

    Examples
    --------
    A dense matrix of DeepSeek-V3 over 32 GPUs, 576 padded to 640 in FP8:

    >>> block_padding(18432, 7168, 32, 128, 1, 8)
    458752

    Source
    ------
    Derived here.
    """
    padded = ceil_div(width, divisor * block) * block * divisor
    return ratio(ratio((padded - width) * across * copies * bits, 8), divisor)


@formula(r"B_\mathrm{pad}")
def padded_shard_bytes(elements: Elements, bits: Bits, divisor: Count) -> Bytes:
    r"""Give the bytes of a GPU's share of a tensor that is padded until it divides.

    .. math:: B_\mathrm{pad} = \frac{\lceil N / n_\mathrm{div} \rceil b}{8}

    Parameters
    ----------
    elements
        Elements of the whole tensor.
    bits
        Bits stored for each.
    divisor
        GPUs that it is divided among.

    Returns
    -------
    Bytes of a whole number of elements.

    Notes
    -----
    The padding is that of one tensor by itself, not that of a buffer of many.

    Examples
    --------
    >>> padded_shard_bytes(1000, 32, 128)
    32

    Source
    ------
    Derived here.
    """
    return ratio(ceil_div(elements, divisor) * bits, 8)


@formula(r"V_\mathrm{pad}")
def padded_vocabulary(vocab_size: Elements, multiple: Count, tp: Count) -> Elements:
    r"""Give the rows of an embedding that is padded to a multiple for each GPU.

    .. math:: V_\mathrm{pad} = \lceil V / (n_\mathrm{mult} P_t) \rceil n_\mathrm{mult} P_t

    Parameters
    ----------
    vocab_size
        Tokens of the vocabulary.
    multiple
        Number of which one GPU's rows are a multiple.
    tp
        GPUs that the rows are divided among.

    Returns
    -------
    Rows.

    Notes
    -----
    A ``multiple`` of 1 only pads to whole rows.

    Examples
    --------
    Qwen2.5's 152,064 rows over 8 GPUs:

    >>> padded_vocabulary(152064, 128, 8)
    152576

    Source
    ------
    Megatron-LM, ``--make-vocab-size-divisible-by`` (128) times the tensor-parallel size.
    """
    return ceil_div(vocab_size, multiple * tp) * multiple * tp


@formula(r"B_\mathrm{cached}", "group_size >= 1")
def activation_bytes(
    tokens: Tokens,
    width: Elements,
    bits: Bits,
    group_size: Elements,
    scale_bits: Bits,
    divisor: Count,
) -> Bytes:
    r"""Give the bytes of a GPU's share of an activation that is kept for the backward pass.

    .. math:: B_\mathrm{cached} = \frac{T (d b + \lceil d / g \rceil b_s)}{8 n_\mathrm{div}}

    Parameters
    ----------
    tokens
        Tokens of the micro-batch, or rows that experts receive.
    width
        Elements of one.
    bits
        Width of an element as it is kept.
    group_size, scale_bits
        Elements that share a scale, and what is stored for them; 0 bits where there is none.
    divisor
        GPUs that it is divided among.

    Returns
    -------
    Bytes: exact where the GPUs divide it, else a mean.

    Notes
    -----
    A last, shorter group has a scale of its own. Nothing is aligned or padded.

    Examples
    --------
    The input of DeepSeek-V3's dispatched experts in FP8, 4,096 tokens to 8 experts each:

    >>> activation_bytes(32768, 7168, 8, 128, 32, 1)
    242221056

    Source
    ------
    Derived here; the tests compare it with arXiv:2205.05198, equations 1 to 6. The tiles of the
    example are those of arXiv:2412.19437 §3.3.2.
    """
    return ratio(tokens * (width * bits + ceil_div(width, group_size) * scale_bits), 8 * divisor)


@formula(r"R")
def received_rows(
    tokens: Tokens, experts_per_token: Count, tp: Count, cp: Count, etp: Count, imbalance: Ratio
) -> Expected:
    r"""Count the rows that the experts of one GPU receive of a micro-batch.

    .. math:: R = \frac{T k_\mathrm{sent} P_{et} f_\mathrm{hot}}{P_t P_c}

    Parameters
    ----------
    tokens
        Tokens of the micro-batch of one replica.
    experts_per_token
        Experts that a token is sent to.
    tp, cp
        GPUs that share the tokens before they are dispatched.
    etp
        GPUs that share an expert: each of them sees all of its rows.
    imbalance
        Rows of this GPU over the mean.

    Returns
    -------
    Rows: a mean over the group where ``imbalance`` is 1.

    Notes
    -----
    On average each GPU sends as many rows as it receives, whatever the size of the group. None is
    dropped, and none is padded.

    Examples
    --------
    One sequence of DeepSeek-V3's pre-training:

    >>> received_rows(4096, 8, 1, 1, 1, 1)
    32768

    Source
    ------
    Derived here: conservation of rows.
    """
    return ratio(tokens * experts_per_token * etp * imbalance, tp * cp)


@formula(r"\delta_\mathrm{fit}", result=SHARE)
def fits(total_bytes: Bytes, usable: Bytes) -> Count:
    r"""Tell whether the bytes of the fullest GPU fit in its usable memory.

    .. math:: \delta_\mathrm{fit} = 1 - \lceil \min(\max(B_\mathrm{full} - M, 0), 1) / 1 \rceil

    Parameters
    ----------
    total_bytes
        Bytes of the fullest GPU.
    usable
        Bytes that a process can allocate.

    Returns
    -------
    1 where it fits, else 0.

    Notes
    -----
    A GPU that is exactly full fits. Bytes are whole: an excess of a fraction of a byte does not
    fit.

    Examples
    --------
    >>> fits(70 * 2**30, 84943110144)
    1

    Source
    ------
    Definition.
    """
    return 1 - ceil_div(clip(total_bytes - usable, 0, 1), 1)


@formula(r"B_\mathrm{LL}")
def low_latency_buffer(slots: Count, tokens: Tokens, copy_bytes: Bytes) -> Bytes:
    r"""Give the bytes of the buffers of DeepEP's low-latency kernels on one GPU.

    .. math:: B_\mathrm{LL} = 4 m T B_\mathrm{row}

    Parameters
    ----------
    slots
        Places for experts of the whole group.
    tokens
        Most tokens that a GPU dispatches at once.
    copy_bytes
        Bytes of the larger of a dispatched and a combined copy.

    Returns
    -------
    Bytes.

    Notes
    -----
    Two buffers in alternation, each with a region for sending and one for receiving, and in each
    region a row for every token and every place for an expert. Counters and alignment, below a
    thousandth, are left out.

    Examples
    --------
    288 places, 128 tokens, combined in BF16 with a smallest and a largest value for 128 channels:

    >>> low_latency_buffer(288, 128, 14560)
    2146959360

    Source
    ------
    deepseek-ai/DeepEP, ``csrc/legacy/config.hpp``, struct LowLatencyLayout.
    """
    return 4 * slots * tokens * copy_bytes
