"""What the collectives of a layout move, and how often: payloads, replicas, heads, sends.

What a collective moves is its ``payload``: the whole tensor, as NCCL's tests count it, not one
GPU's share of it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import Bits, Bytes, Count, Elements, Expected, Ratio, Tokens
from dsv3calc.numbers.ops import maximum, minimum, ratio


@formula(r"d_\mathrm{edp}", "ep * etp <= tp * cp * dp")
def expert_replicas(tp: Count, cp: Count, dp: Count, ep: Count, etp: Count) -> Count:
    r"""Count the replicas of an expert within a pipeline stage.

    .. math:: d_\mathrm{edp} = \frac{P_t P_c P_d}{P_e P_{et}}

    Parameters
    ----------
    tp, cp, dp
        Degrees of the attention: their product is the number of GPUs of a stage.
    ep, etp
        GPUs that experts, and the matrices of one expert, are spread over.

    Returns
    -------
    The data parallelism of experts.

    Notes
    -----
    Expert parallelism regroups the GPUs of a stage.

    Examples
    --------
    DeepSeek-V3's pre-training:

    >>> expert_replicas(1, 1, 128, 64, 1)
    2

    Source
    ------
    Megatron-Core, parallel_state.py (expert_data_parallel_size).
    """
    return ratio(tp * cp * dp, ep * etp)


@formula(r"e_\mathrm{sole}", result=SHARE)
def sole_stage(pp: Count) -> Count:
    r"""Tell whether a single stage is both the first and the last.

    .. math:: e_\mathrm{sole} = \max(0, 2 - P_p)

    Parameters
    ----------
    pp
        Pipeline stages.

    Returns
    -------
    1 without pipeline parallelism, else 0.

    Notes
    -----
    Exact.

    Examples
    --------
    >>> sole_stage(1), sole_stage(16)
    (1, 0)

    Source
    ------
    Derived here.
    """
    return maximum(0, 2 - pp)


@formula(r"B_\mathrm{act}")
def activation_payload(
    micro_batch: Count, sequence: Tokens, width: Elements, bits: Bits, split: Count
) -> Bytes:
    r"""Give the bytes of one tensor of activations of a micro-batch.

    .. math:: B_\mathrm{act} = \frac{B_\mathrm{micro} S d b}{8 n_\mathrm{split}}

    Parameters
    ----------
    micro_batch
        Sequences of a micro-batch.
    sequence
        Tokens of each.
    width
        Elements of a token.
    bits
        Width of an element as sent.
    split
        GPUs that share the tensor: cp, and tp where the sequence is split over it too.

    Returns
    -------
    Bytes.

    Notes
    -----
    No scales: collectives of activations are taken to be in a plain format.

    Examples
    --------
    One sequence of DeepSeek-V3's hidden states in BF16:

    >>> activation_payload(1, 4096, 7168, 16, 1)
    58720256

    Source
    ------
    Derived here.
    """
    return ratio(micro_batch * sequence * width * bits, 8 * split)


@formula(r"B_\mathrm{shard}")
def shard_payload(elements: Elements, bits: Bits, split: Count) -> Bytes:
    r"""Give the bytes of one GPU's gradients or parameters before they are reduced or gathered.

    .. math:: B_\mathrm{shard} = \frac{N b}{8 n_\mathrm{split}}

    Parameters
    ----------
    elements
        Elements of the tensors.
    bits
        Width of an element as sent.
    split
        GPUs that the tensors are divided among by tensor, expert and pipeline parallelism.

    Returns
    -------
    Bytes.

    Notes
    -----
    A mean where the tensors do not divide.

    Examples
    --------
    >>> shard_payload(44040192, 32, 1)
    176160768

    Source
    ------
    Derived here.
    """
    return ratio(elements * bits, 8 * split)


@formula(r"n_\mathrm{held}")
def held_heads(heads: Count, tp: Count, fewest: Count) -> Expected:
    r"""Count the heads of a layer that one GPU holds under tensor parallelism.

    .. math:: n_\mathrm{held} = \max(\frac{n}{P_t}, n_\mathrm{min})

    Parameters
    ----------
    heads
        Heads of the layer.
    tp
        GPUs that they are divided among.
    fewest
        Heads below which they are repeated rather than divided: 1, or cp before an all-to-all.

    Returns
    -------
    Heads.

    Notes
    -----
    A mean where they do not divide.

    Examples
    --------
    >>> held_heads(128, 4, 1), held_heads(8, 16, 1)
    (32, 1)

    Source
    ------
    Derived here; the repetition is Megatron-Core's for fewer query groups than ranks.
    """
    return maximum(ratio(heads, tp), fewest)


@formula(r"n_\mathrm{p2p}")
def pipeline_sends(pp: Count, virtual_pipeline: Count) -> Count:
    r"""Count what the busiest pipeline rank sends for one micro-batch: activations and gradients.

    .. math:: n_\mathrm{p2p} = \min(P_p - 1, 1) (2 v - 2) + \min(P_p - 1, 2)

    Parameters
    ----------
    pp
        Pipeline ranks.
    virtual_pipeline
        Chunks of layers that each rank holds, assigned to the ranks in turn.

    Returns
    -------
    Sends; none without pipeline parallelism.

    Notes
    -----
    Every chunk sends an activation forward and a gradient back; the first and the last chunk send
    one of the two. With three or more ranks, the busiest rank has neither of these two.

    Examples
    --------
    >>> pipeline_sends(16, 1), pipeline_sends(2, 1), pipeline_sends(4, 2), pipeline_sends(1, 1)
    (2, 1, 4, 0)

    Source
    ------
    Derived here for the schedules of arXiv:2104.04473 §2.2.
    """
    return minimum(pp - 1, 1) * (2 * virtual_pipeline - 2) + minimum(pp - 1, 2)


@formula(r"\sigma_\mathrm{pp}", result=SHARE)
def pipeline_crossing_share(members: Count, nodes: Count) -> Ratio:
    r"""Give the share of sends that leave the node, for a pipeline rank at the edge of the node.

    .. math:: \sigma_\mathrm{pp} = \frac{\min(m_\mathrm{grp} - 1, 1)}{\min(n_\mathrm{member}, 2)}

    Parameters
    ----------
    members
        Ranks of a pipeline that share a node.
    nodes
        Nodes of a pipeline.

    Returns
    -------
    All, half (one of two neighbours), or none.

    Notes
    -----
    The edge limits the scale-out link; ranks inside a node send nothing to another.

    Examples
    --------
    >>> pipeline_crossing_share(1, 16), pipeline_crossing_share(2, 4), pipeline_crossing_share(8, 1)
    (1, 0.5, 0)

    Source
    ------
    Derived here.
    """
    return ratio(minimum(nodes - 1, 1), minimum(members, 2))
