"""Memory of one GPU: layers of a stage, shards of tensors, activations and buffers in bytes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.ops import ceil_div, clip, floor_div, maximum, minimum, ratio
from dsv3calc.registry import formula
from dsv3calc.units import Bits, Bytes, Count, Elements, Expected, Ratio, Tokens


@formula(r"\ell_\mathrm{least}")
def least_layers(
    num_hidden_layers: Count, virtual_stages: Count, leading: Count, trailing: Count
) -> Count:
    r"""Count the layers that every pipeline stage has at least, divided evenly.

    .. math::

        \ell_\mathrm{least} = \lfloor (L + u_\mathrm{emb} + u_\mathrm{head}) / P_\mathrm{stage}
            \rfloor

    Parameters
    ----------
    num_hidden_layers
        Layers to divide.
    virtual_stages
        Stages that they are divided among: pp, or more where a rank holds several.
    leading, trailing
        Layers that the embedding, and the head with what stands beside it, count as in the
        division: 0 leaves them out of it.

    Returns
    -------
    Layers.

    Notes
    -----
    What the embedding and the head count as is among them.

    Examples
    --------
    DeepSeek-V3's 61 layers over 16 stages:

    >>> least_layers(61, 16, 0, 0)
    3

    Source
    ------
    Derived here.
    """
    return floor_div(num_hidden_layers + leading + trailing, virtual_stages)


@formula(r"n_\mathrm{longer}")
def longer_stages(
    num_hidden_layers: Count,
    virtual_stages: Count,
    leading: Count,
    trailing: Count,
    stage_layers: Count,
) -> Count:
    r"""Count the pipeline stages that have one layer more than the others, divided evenly.

    .. math::

        n_\mathrm{longer} = L + u_\mathrm{emb} + u_\mathrm{head} - P_\mathrm{stage}
            \ell_\mathrm{least}

    Parameters
    ----------
    num_hidden_layers
        Layers to divide.
    virtual_stages
        Stages that they are divided among.
    leading, trailing
        Layers that the embedding and the head count as.
    stage_layers
        Layers of every stage.

    Returns
    -------
    Stages.

    Notes
    -----
    They are the first ones.

    Examples
    --------
    Of DeepSeek-V3's 16 stages 13 have four layers:

    >>> longer_stages(61, 16, 0, 0, 3)
    13

    Source
    ------
    Derived here.
    """
    return num_hidden_layers + leading + trailing - virtual_stages * stage_layers


@formula(r"i_\mathrm{start}")
def stage_start(stage: Count, stage_layers: Count, longer_stages: Count) -> Count:
    r"""Give the first layer of a pipeline stage, layers divided as evenly as whole ones allow.

    .. math::

        i_\mathrm{start} = i_\mathrm{stage} \ell_\mathrm{least} + \min(i_\mathrm{stage},
            n_\mathrm{longer})

    Parameters
    ----------
    stage
        Stage from 0; the number of stages gives the end of the last.
    stage_layers
        Layers of every stage.
    longer_stages
        Stages, the first ones, that have one layer more.

    Returns
    -------
    Number of the layer, from 0.

    Notes
    -----
    Earlier stages take the layers that are left over.

    Examples
    --------
    DeepSeek-V3's 61 layers over 16 stages: 13 of four layers, then 3 of three.

    >>> [stage_start(stage, 3, 13) for stage in (0, 1, 13, 14, 16)]
    [0, 4, 52, 55, 61]

    Source
    ------
    Derived here.
    """
    return stage * stage_layers + minimum(stage, longer_stages)


@formula(r"i_\mathrm{real}")
def balanced_start(first_layer: Count, num_hidden_layers: Count, leading: Count) -> Count:
    r"""Give the first layer of a stage where the embedding and the head count as layers.

    .. math:: i_\mathrm{real} = \min(\max(i_\mathrm{a} - u_\mathrm{emb}, 0), L)

    Parameters
    ----------
    first_layer
        First layer of the stage, the embedding counted.
    num_hidden_layers
        Layers of the model.
    leading
        Layers that the embedding counts as.

    Returns
    -------
    Number of the layer, from 0.

    Notes
    -----
    The first and the last stage have that much less, as Megatron-Core's
    ``account_for_embedding_in_pipeline_split`` and ``account_for_loss_in_pipeline_split`` do.

    Examples
    --------
    62 layers, embedding and head over 16 stages of four: the first and the last have three.

    >>> [balanced_start(first, 62, 1) for first in (0, 4, 60, 64)]
    [0, 3, 59, 62]

    Source
    ------
    Derived here.
    """
    return clip(first_layer - leading, 0, num_hidden_layers)


@formula(r"\ell_\mathrm{stage}")
def layers_in_stage(first_layer: Count, last_layer: Count, start: Count, stop: Count) -> Count:
    r"""Count the layers of a stage that belong to a run of layers of one kind.

    .. math::

        \ell_\mathrm{stage} = \min(\max(i_\mathrm{b}, i_0), i_1) - \min(\max(i_\mathrm{a}, i_0),
            i_1)

    Parameters
    ----------
    first_layer, last_layer
        First layer of the stage, and the first of the next.
    start, stop
        The run of layers of one kind, ``stop`` excluded.

    Returns
    -------
    Layers.

    Notes
    -----
    Numbers count from 0.

    Examples
    --------
    DeepSeek-V3's layers 3 to 60 are MoE; the first of 16 stages holds layers 0 to 3.

    >>> layers_in_stage(0, 4, 3, 61)
    1

    Source
    ------
    Derived here: the length of an intersection.
    """
    return clip(last_layer, start, stop) - clip(first_layer, start, stop)


@formula(r"\ell_\mathrm{stage}")
def strided_layers_in_stage(
    first_layer: Count, last_layer: Count, start: Count, stop: Count, step: Count
) -> Count:
    r"""Count the layers of a stage that belong to a slice which takes every few layers.

    .. math::

        \ell_\mathrm{stage} = \lceil (\min(\max(i_\mathrm{b}, i_0), i_1) - i_0) / s \rceil - \lceil
            (\min(\max(i_\mathrm{a}, i_0), i_1) - i_0) / s \rceil

    Parameters
    ----------
    first_layer, last_layer
        First layer of the stage, and the first of the next.
    start, stop, step
        The slice of layers of one kind, ``stop`` excluded.

    Returns
    -------
    Layers.

    Notes
    -----
    Numbers count from 0.

    Examples
    --------
    Gemma 3's layers 5, 11, 17 ... attend to everything; a stage of layers 8 to 15 has one.

    >>> strided_layers_in_stage(8, 16, 5, 62, 6)
    1

    Source
    ------
    Derived here: a slice has one layer in each step.
    """
    before = ceil_div(clip(first_layer, start, stop) - start, step)
    until = ceil_div(clip(last_layer, start, stop) - start, step)
    return until - before


@formula(r"\delta_\mathrm{stage}")
def stage_has(stage: Count, place: Count) -> Count:
    r"""Tell whether a stage is the one on which something stands.

    .. math:: \delta_\mathrm{stage} = 1 - \min((i_\mathrm{stage} - x_\mathrm{place})^2, 1)

    Parameters
    ----------
    stage
        Stage from 0.
    place
        Stage on which the embedding, the head or the MTP modules stand.

    Returns
    -------
    1 where it does, else 0.

    Notes
    -----
    Both are whole numbers.

    Examples
    --------
    >>> stage_has(15, 15), stage_has(3, 15)
    (1, 0)

    Source
    ------
    Derived here.
    """
    distance = stage - place
    return 1 - minimum(distance * distance, 1)


@formula(r"\delta_\mathrm{any}")
def any_of(amount_here: Count) -> Count:
    r"""Tell whether there is at least one of something.

    .. math:: \delta_\mathrm{any} = \min(n_\mathrm{here}, 1)

    Parameters
    ----------
    amount_here
        How many a rank has.

    Returns
    -------
    1 where it has any, else 0.

    Notes
    -----
    A rank that two stages need the embedding on holds it once.

    Examples
    --------
    >>> any_of(2), any_of(0)
    (1, 0)

    Source
    ------
    Derived here.
    """
    return minimum(amount_here, 1)


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
    Parts; with more GPUs than heads each head stands on several of them.

    Notes
    -----
    One of the two divides the other.

    Examples
    --------
    Eight heads over 16 GPUs: each GPU holds one, of two copies.

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
        Places beside them.
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
        What one GPU's rows are a multiple of.
    tp
        GPUs that the rows are divided among.

    Returns
    -------
    Rows.

    Notes
    -----
    1 for ``multiple`` pads to whole rows alone.

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


@formula(r"B_\mathrm{cached}")
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
    Derived here; held to arXiv:2205.05198, equations 1 to 6, in the tests. The tiles of the example
    are those of arXiv:2412.19437 §3.3.2.
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
        Rows of the GPU that is meant over the mean.

    Returns
    -------
    Rows: a mean over the group where ``imbalance`` is 1.

    Notes
    -----
    Each GPU sends as many rows as it receives on the mean, whatever the size of the group. None is
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


@formula(r"\delta_\mathrm{fit}")
def fits(total_bytes: Bytes, usable: Bytes) -> Count:
    r"""Tell whether what is held fits into what can be used.

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
    Exactly full fits. Bytes are whole: a fraction of one over is one over.

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
    Two buffers that take turns, each with a place to send from and one to receive into, and a row
    for each token of each place. Counters and alignment, below a thousandth, are left out.

    Examples
    --------
    288 places, 128 tokens, combined in BF16 with 16 bytes beside each:

    >>> low_latency_buffer(288, 128, 14352)
    2116288512

    Source
    ------
    deepseek-ai/DeepEP, ``csrc/config.hpp``, struct LowLatencyLayout.
    """
    return 4 * slots * tokens * copy_bytes


@formula(r"T_\mathrm{pool}")
def pool_tokens(pool: Bytes, token_bytes: Bytes, page_size: Tokens) -> Tokens:
    r"""Count the tokens that a pool of cache pages holds.

    .. math:: T_\mathrm{pool} = \lfloor B_\mathrm{free,kv} / (B_\mathrm{entry} T_p) \rfloor T_p

    Parameters
    ----------
    pool
        Bytes of the pool on one GPU.
    token_bytes
        Bytes of one token in all of its layers.
    page_size
        Tokens of a page.

    Returns
    -------
    Tokens, in whole pages.

    Notes
    -----
    Every layer keeps every token. A layer of limited span lets go of tokens that have left its
    window, so that a pool holds more of longer sequences: their number times their tokens.

    Examples
    --------
    40 GiB of DeepSeek-V3's latents in BF16, pages of 64 tokens:

    >>> pool_tokens(40 * 2**30, 70272, 64)
    611136

    Source
    ------
    Derived here.
    """
    return floor_div(pool, token_bytes * page_size) * page_size


@formula(r"B_\mathrm{budget}")
def server_budget(usable: Bytes, memory_share: Count) -> Bytes:
    r"""Give the bytes of a device that a server takes in all.

    .. math:: B_\mathrm{budget} = \lfloor M f_\mathrm{ppm} / 1000000 \rfloor

    Parameters
    ----------
    usable
        Bytes that a process can allocate.
    memory_share
        Share of them, in millionths.

    Returns
    -------
    Whole bytes.

    Notes
    -----
    Weights, buffers and cache share them.

    Examples
    --------
    Nine tenths of an H800:

    >>> server_budget(84943110144, 900000)
    76448799129

    Source
    ------
    vLLM, ``gpu_memory_utilization``.
    """
    return floor_div(usable * memory_share, 1000000)


@formula(r"B_\mathrm{pool}")
def cache_pool(budget: Bytes, weight_bytes: Bytes, buffer_bytes: Bytes) -> Bytes:
    r"""Give the bytes that weights and buffers leave for the cache.

    .. math::

        B_\mathrm{pool} = \lfloor \max(B_\mathrm{max} - B_\mathrm{w} - B_\mathrm{b}, 0) / 1 \rfloor

    Parameters
    ----------
    budget
        Bytes that the server takes in all.
    weight_bytes, buffer_bytes
        Bytes of weights, and of everything beside weights and cache.

    Returns
    -------
    Whole bytes; none where weights and buffers take more than there is.

    Notes
    -----
    Nothing is set aside beyond what is named.

    Examples
    --------
    >>> cache_pool(70 * 2**30, 25 * 2**30, 5 * 2**30)
    42949672960

    Source
    ------
    Definition.
    """
    return floor_div(maximum(budget - weight_bytes - buffer_bytes, 0), 1)


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
        Layers of the whole model: a stage's share of them for as many micro-batches as stages.
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
    Sequence parallelism and recomputation of attention's core. Every layer is taken for a dense
    one with attention heads as wide as the residual stream: neither experts nor gates nor latent
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
        Width of the residual stream, and of the logits in FP32.
    tp
        Tensor-parallel GPUs.

    Returns
    -------
    Bytes.

    Notes
    -----
    Left out where the pipeline has several stages: the first has no head.

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
        Layers of the whole model: a stage's share of them for as many micro-batches as stages.
    batch, sequence
        Sequences of a micro-batch, and tokens of each.
    hidden_size
        Width of the residual stream; feed-forwards are taken for four times as wide.
    tp
        Tensor-parallel GPUs, over which part of it is divided.

    Returns
    -------
    Bytes.

    Notes
    -----
    Every layer is taken for a dense one of a GPT, with a fused attention. The report multiplies its
    sum by 1.05 in the end.

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
