"""What queries about a layout have in common: the design, the layout, and options that edit it."""

# SPDX-License-Identifier: Apache-2.0
from typing import ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.base import Query
from dsv3calc.queries.fields import Annotated, Option


class LayoutQuery(Query, frozen=True, kw_only=True):
    """A model on GPUs of a layout. Degrees edit the layout.

    ``alone`` says that the query is about one GPU where it names no layout and no degree.
    """

    alone: ClassVar[bool] = False

    model: shared.Model
    hardware: shared.Hardware
    layout: Annotated[
        str | None,
        Option(
            "Layout preset, such as v3-pretrain; options below change it", shared.DEGREES,
            metavar="NAME", preset="layout",
        ),
    ] = None  # fmt: skip
    tp: Annotated[int | None, Option("Tensor-parallel GPUs", shared.DEGREES, dimension="count")] = (
        None
    )
    cp: Annotated[
        int | None, Option("Context-parallel GPUs", shared.DEGREES, dimension="count")
    ] = None
    pp: Annotated[int | None, Option("Pipeline ranks", shared.DEGREES, dimension="count")] = None
    dp: Annotated[
        int | None,
        Option(
            "Data-parallel replicas", shared.DEGREES, dimension="count",
            default="as many as one expert-parallel group needs",
        ),
    ] = None  # fmt: skip
    ep: Annotated[
        int | None, Option("GPUs that share a layer's experts", shared.DEGREES, dimension="count")
    ] = None
    etp: Annotated[
        int | None,
        Option(
            "GPUs that share one expert", shared.DEGREES, dimension="count",
            default="the set-up's rule; training: tp, 1 with --ep; serving: tp dp / ep",
        ),
    ] = None  # fmt: skip
    setup: shared.Setup = None
    zero: Annotated[
        int | None,
        Option(
            "ZeRO stage, 0 to 3", shared.TRAINING, dimension="count", least=0,
            default="0",
        ),
    ] = None  # fmt: skip
    micro_batch: Annotated[
        int | None,
        Option("Sequences of a micro-batch of one replica", shared.TRAINING, dimension="count"),
    ] = None
    global_batch: Annotated[
        int | None, Option("Sequences of a training step", shared.TRAINING, dimension="count")
    ] = None
    layer_split: Annotated[
        str | None,
        Option(
            "even, balanced (embedding and head count as layers), or 4*15,1", shared.DEGREES,
            metavar="SPLIT", default="even",
        ),
    ] = None  # fmt: skip
    redundant_experts: Annotated[
        int | None,
        Option(
            "Additional replicas of routed experts", shared.EXPERTS,
            dimension="count", least=0,
        ),
    ] = None  # fmt: skip
    shared_experts: Annotated[
        str | None,
        Option(
            "local (divided over tp), replicated, instance (over tp and the attention replicas of "
            "a server), or routed: dispatched like a routed expert",
            shared.EXPERTS, metavar="PLACE", choices="schema.layout:SharedExperts",
        ),
    ] = None  # fmt: skip
    dispatch: shared.Dispatch = None
    combine: shared.Combine = None
    with_mtp: shared.WithMtp = False
