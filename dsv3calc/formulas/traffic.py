"""What a layout's experts send: copies of a token by link, tokens, layers, micro-batches."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import Count, Expected, Ratio, Tokens
from dsv3calc.numbers.ops import ratio


@formula(r"\sigma_\mathrm{out}", result=SHARE)
def crossing_share(gpus: Count, gpus_per_node: Count) -> Ratio:
    r"""Give the share of evenly spread copies that leave the node.

    .. math:: \sigma_\mathrm{out} = \frac{G - G_n}{G}

    Parameters
    ----------
    gpus
        Members of the expert-parallel group.
    gpus_per_node
        Members that share a node.

    Returns
    -------
    Share from 0, for one node, towards 1.

    Notes
    -----
    Every member is as likely a destination as any other, wherever the token is. This turns
    DeepEP's logical bandwidth, which counts the own node, into the physical one.

    Examples
    --------
    Eight GPUs of 64 are in the own node:

    >>> crossing_share(64, 8)
    0.875

    Source
    ------
    Derived here; the definition of the logical bandwidth is in deepseek-ai/DeepEP, README.md.
    """
    return ratio(gpus - gpus_per_node, gpus)


@formula(r"c_\mathrm{out}")
def crossing_copies(token_copies: Expected, gpus: Count, gpus_per_node: Count) -> Expected:
    r"""Give the expected copies of a token that leave its node.

    .. math:: c_\mathrm{out} = \frac{c_t (G - G_n)}{G}

    Parameters
    ----------
    token_copies
        Copies of a token: to experts, GPUs or nodes, its own included.
    gpus
        Members of the expert-parallel group.
    gpus_per_node
        Members that share a node.

    Returns
    -------
    Copies that the scale-out link carries.

    Notes
    -----
    Every member is as likely a destination as any other, wherever the token is.

    Examples
    --------
    >>> crossing_copies(8, 64, 8)
    7

    Source
    ------
    Derived here.
    """
    return ratio(token_copies * (gpus - gpus_per_node), gpus)


@formula(r"c_\mathrm{near}")
def neighbour_copies(token_copies: Expected, gpus: Count, gpus_per_node: Count) -> Expected:
    r"""Give the expected copies of a token that go to other GPUs of its node.

    .. math:: c_\mathrm{near} = \frac{c_t (G_n - 1)}{G}

    Parameters
    ----------
    token_copies
        Copies of a token: to experts or GPUs, its own included.
    gpus
        Members of the expert-parallel group.
    gpus_per_node
        Members that share a node.

    Returns
    -------
    Copies that the scale-up link carries when nothing is forwarded.

    Notes
    -----
    Every member is as likely a destination as any other, wherever the token is.

    Examples
    --------
    >>> neighbour_copies(8, 64, 8)
    0.875

    Source
    ------
    Derived here.
    """
    return ratio(token_copies * (gpus_per_node - 1), gpus)


@formula(r"c_{+1}")
def copies_with_shared(token_copies: Expected, places: Count) -> Expected:
    r"""Give the expected distinct places of a token that also goes to the shared experts.

    .. math:: c_{+1} = \frac{c_t (n_\mathrm{place} - 1) + n_\mathrm{place}}{n_\mathrm{place}}

    Parameters
    ----------
    token_copies
        Distinct places that the routed experts need.
    places
        Places that there are: GPUs or nodes of the group.

    Returns
    -------
    Distinct places with the shared experts' copy.

    Notes
    -----
    The replica is in each place with the same probability, independent of the routing. The shared
    experts run as one feed-forward, so they take one copy.

    Examples
    --------
    >>> copies_with_shared(3, 4)
    3.25

    Source
    ------
    Derived here; the ninth expert of arXiv:2412.19437 §3.4.2.
    """
    return ratio(token_copies * (places - 1) + places, places)


@formula(r"T_\mathrm{gpu}")
def dispatched_tokens(micro_batch: Count, sequence: Tokens, tp: Count, cp: Count) -> Tokens:
    r"""Count the tokens of a micro-batch that one GPU dispatches.

    .. math:: T_\mathrm{gpu} = \frac{B_\mathrm{micro} S}{P_t P_c}

    Parameters
    ----------
    micro_batch
        Sequences of a micro-batch.
    sequence
        Tokens of each.
    tp, cp
        GPUs that hold the same tokens' shards: tensor and context parallelism.

    Returns
    -------
    Tokens of one GPU, a mean where they do not divide.

    Notes
    -----
    Each token is dispatched once: tensor parallelism splits the sequence before the experts, as
    sequence parallelism does.

    Examples
    --------
    >>> dispatched_tokens(1, 4096, 4, 1)
    1024

    Source
    ------
    arXiv:2412.19437 §3.4.1: TP4 with SP.
    """
    return ratio(micro_batch * sequence, tp * cp)


@formula(r"m")
def replica_micro_batches(global_batch: Count, dp: Count, micro_batch: Count) -> Count:
    r"""Count the micro-batches of one replica in a training step.

    .. math:: m = \frac{B_\mathrm{step}}{P_d B_\mathrm{micro}}

    Parameters
    ----------
    global_batch
        Sequences of a step.
    dp
        Replicas that share them.
    micro_batch
        Sequences of a micro-batch.

    Returns
    -------
    Micro-batches of a replica.

    Notes
    -----
    Exact where the sequences divide.

    Examples
    --------
    DeepSeek-V3's pre-training with one sequence in a micro-batch:

    >>> replica_micro_batches(15360, 128, 1)
    120

    Source
    ------
    Derived here; the example is arXiv:2412.19437 §3.2 and §4.2.
    """
    return ratio(global_batch, dp * micro_batch)


@formula(r"\ell_\mathrm{gpu}")
def layers_per_gpu(layers: Count, pp: Count) -> Expected:
    r"""Give the layers that a GPU holds, on average over its pipeline.

    .. math:: \ell_\mathrm{gpu} = \frac{\ell}{P_p}

    Parameters
    ----------
    layers
        Layers of the model that are counted.
    pp
        Pipeline stages.

    Returns
    -------
    Layers of one GPU; stages of whole layers have more or fewer.

    Notes
    -----
    A mean over the stages: how DeepSeek-V3's 61 layers divide among 16 is not published. Under
    DualPipe a GPU holds two stages, each for half of the micro-batches: the mean is the same.

    Examples
    --------
    >>> layers_per_gpu(58, 16)
    3.625

    Source
    ------
    Derived here.
    """
    return ratio(layers, pp)
