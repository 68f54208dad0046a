"""The query of ``which`` as data."""

# SPDX-License-Identifier: Apache-2.0
from typing import ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.base import Query
from dsv3calc.queries.fields import Annotated, Option

SEARCHED = "What is searched"


class WhichQuery(Query, frozen=True, kw_only=True):
    """Models that a device can serve, or devices that can serve a model, and the room left.

    Examples:

      dsv3calc which --hardware rtx-4090 --context 32k

      dsv3calc which --model deepseek-v3

      dsv3calc which --model qwen3-32b --hardware l40s --gpus 2
    """

    command: ClassVar[str] = "which"

    hardware: Annotated[
        str | None,
        Option(
            "Device preset; without it, all of them", SEARCHED, metavar="NAME", preset="hardware"
        ),
    ] = None
    model: Annotated[
        str | None,
        Option(
            "Model preset or file; without it, all presets", SEARCHED, metavar="MODEL",
            preset="model",
        ),
    ] = None  # fmt: skip
    gpus: Annotated[
        int | None,
        Option(
            "Devices that share the model by tensor parallelism", SEARCHED, dimension="count",
            default="1; with --model, the fewest of 1, 2, 4 ... of one domain",
        ),
    ] = None  # fmt: skip
    precision: Annotated[
        str | None,
        Option(
            "Precision of the weights", SEARCHED, metavar="NAME",
            default="the model's own, bf16, fp8, int8, int4", preset="precision",
        ),
    ] = None  # fmt: skip
    context: shared.Context = None
    batch: shared.Batch = None
    kv_dtype: shared.KVDtype = None
    offload: shared.Offload = None
    setup: shared.Setup = None
