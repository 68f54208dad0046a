"""Stages of a pipeline: which layers each holds, and which other parts of the model."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import Count
from dsv3calc.numbers.ops import ceil_div, clip, floor_div, minimum


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
        Layers that the embedding, and the head with the other parts on its stage, count as in the
        division: 0 leaves them out.

    Returns
    -------
    Layers.

    Notes
    -----
    The layers that the embedding and the head count as are included.

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


@formula(
    r"n_\mathrm{longer}", "stage_layers * virtual_stages <= num_hidden_layers + leading + trailing"
)
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
    13 of DeepSeek-V3's 16 stages have four layers:

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
    The first and the last stage have that many layers fewer, as Megatron-Core's
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


@formula(r"\delta_\mathrm{stage}", result=SHARE)
def stage_has(stage: Count, place: Count) -> Count:
    r"""Tell whether a part of the model is on a stage.

    .. math:: \delta_\mathrm{stage} = 1 - \min((i_\mathrm{stage} - x_\mathrm{place})^2, 1)

    Parameters
    ----------
    stage
        Stage from 0.
    place
        Stage of the embedding, the head or the MTP modules.

    Returns
    -------
    1 where it is, else 0.

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


@formula(r"\delta_\mathrm{any}", result=SHARE)
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
    A rank with two stages that need the embedding holds it once.

    Examples
    --------
    >>> any_of(2), any_of(0)
    (1, 0)

    Source
    ------
    Derived here.
    """
    return minimum(amount_here, 1)
