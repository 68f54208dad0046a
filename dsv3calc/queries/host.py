"""The query about hosts as data; None means "not given": the answer has the default."""

# SPDX-License-Identifier: Apache-2.0
from typing import ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.base import Query
from dsv3calc.queries.fields import Annotated, Option

CACHES, STATES = "Cached contexts", "States of training"


class HostQuery(Query, frozen=True, kw_only=True):
    """Experts, cached contexts and states of training in the memory of a node's host.

    Experts where the host has a memory bandwidth, cached contexts with --prefill-rate, states of
    training with --layout.

    Examples:

      dsv3calc host deepseek-v3 --hardware rtx-4090 --precision q4-k

      dsv3calc host deepseek-v3 --hardware h800 --prefill-rate 32200

      dsv3calc host deepseek-v3 --hardware h800 --layout v3-pretrain
    """

    command: ClassVar[str] = "host"

    model: shared.Model
    hardware: shared.Hardware
    precision: shared.ProductPrecision = None
    kv_dtype: shared.KVDtype = None
    context: Annotated[
        int | None,
        Option(
            "Tokens of a context, in the device's cache or reloaded", CACHES, dimension="tokens",
            default="4096",
        ),
    ] = None  # fmt: skip
    prefill_rate: Annotated[
        float | None,
        Option(
            "Prefilled tokens per second and node", CACHES, dimension="count", metavar="RATE",
            default="none: no cached contexts",
        ),
    ] = None  # fmt: skip
    hit_rate: Annotated[
        float | None,
        Option(
            "Share of the tokens of prompts found in the cache", CACHES, dimension="ratio",
            metavar="SHARE", default="0",
        ),
    ] = None  # fmt: skip
    retention: Annotated[
        float | None,
        Option("Time for which caches are kept", CACHES, dimension="s", default="none"),
    ] = None
    layout: Annotated[
        str | None,
        Option(
            "Layout preset of a training run", STATES, metavar="NAME",
            default="none: no states of training", preset="layout",
        ),
    ] = None  # fmt: skip
    recipe: Annotated[
        str | None,
        Option(
            "Bits of gradients, master weights and moments", STATES, metavar="NAME",
            default="the precision's", preset="recipe",
        ),
    ] = None  # fmt: skip
    compute_time: Annotated[
        float | None,
        Option(
            "Time of a step that hides the transfers of states", STATES, dimension="s",
            default="0: nothing is hidden",
        ),
    ] = None  # fmt: skip
