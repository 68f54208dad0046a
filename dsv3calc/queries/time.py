"""The query about time as data; None means "not given", and the answer prints the default."""

# SPDX-License-Identifier: Apache-2.0
from typing import ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.fields import Annotated, Option
from dsv3calc.queries.layout import LayoutQuery


class TimeQuery(LayoutQuery, frozen=True, kw_only=True):
    """Time of a pass by operator: at peaks, at measured rates, with a set-up.

    Examples:

      dsv3calc time deepseek-v3 --hardware h800 --context 8192 --batch 32

      dsv3calc time llama-3.1-8b --hardware h100 --phase train --tp 2

      dsv3calc time qwen2.5-72b --hardware h100 --tp 8 --phase prefill

      dsv3calc time deepseek-v3 --hardware h800 --dp 128 --ep 128 --batch 128
    """

    command: ClassVar[str] = "time"
    alone: ClassVar[bool] = True

    phase: Annotated[
        str | None,
        Option(
            "train, prefill or decode", shared.WORKLOAD, metavar="PHASE",
            default="the layout's, else decode", choices="schema.workload:Phase",
        ),
    ] = None  # fmt: skip
    batch: Annotated[
        int | None,
        Option(
            "Sequences of one attention replica", shared.WORKLOAD, dimension="count",
            default="1; in training the layout's micro-batch",
        ),
    ] = None  # fmt: skip
    sequence: Annotated[
        int | None,
        Option(
            "New tokens of each sequence", shared.WORKLOAD, flag="--seq", dimension="tokens",
            default="4096, and 1 in decode",
        ),
    ] = None  # fmt: skip
    context: Annotated[
        int | None,
        Option(
            shared.CONTEXT, shared.WORKLOAD, dimension="tokens", least=0, number="past",
            default="4096 in decode, 0 in prefill",
        ),
    ] = None  # fmt: skip
    last_logit: shared.LastLogit = False
    sequence_parallel: shared.SequenceParallel = None
    setup: shared.EstimatedSetup = None
    precision: shared.ProductPrecision = None
    kv_dtype: shared.KVDtype = None
    recipe: shared.Recipe = None
    mla: shared.Mla = None
    imbalance: shared.Imbalance = None
    oversubscription: shared.Oversubscription = None
    in_network: shared.InNetwork = False
    by: Annotated[
        str,
        Option(
            "operator, layer or component", shared.SHOWN, metavar="PART", default="operator",
            choices="studies.times.answer:BY",
        ),
    ] = "operator"  # fmt: skip
