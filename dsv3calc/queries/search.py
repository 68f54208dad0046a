"""The query about the best layouts as data; None means "not given"."""

# SPDX-License-Identifier: Apache-2.0
from typing import ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.base import Query
from dsv3calc.queries.fields import Annotated, Option

SPACE = "Space"


class SearchQuery(Query, frozen=True, kw_only=True):
    """The best layouts of a model on a number of GPUs, and why others are excluded.

    Examples:

      dsv3calc search qwen2.5-7b --hardware h100 --gpus 2 --phase serve

      dsv3calc search llama-3.1-8b --hardware h100 --gpus 8 --pin pp=1,cp=1

      dsv3calc search qwen2.5-7b --hardware h100 --gpus 4,8 --pin pp=1,cp=1

      dsv3calc search qwen2.5-7b --hardware h100 --gpus 8 --why tp=2,pp=4
    """

    command: ClassVar[str] = "search"

    model: shared.Model
    hardware: shared.Hardware
    gpus: Annotated[
        int | tuple[int, ...] | None,
        Option(
            "GPUs of a layout; several, such as 8,16,32, make a scaling table", SPACE,
            dimension="count", separator=",",
        ),
    ] = None  # fmt: skip
    max_gpus: Annotated[
        int | None,
        Option(
            "Try powers of two of GPUs up to this number, and the number itself",
            SPACE,
            dimension="count",
        ),
    ] = None
    phase: Annotated[
        str,
        Option(
            "train or serve", SPACE, metavar="PHASE", default="train",
            choices="studies.search.request:PHASES",
        ),
    ] = "train"  # fmt: skip
    objective: Annotated[
        str | None,
        Option(
            "Training: memory, traffic, step_time, tokens_per_second_per_gpu, dollars; serving: "
            "memory, tpot, ttft, tokens_per_second_per_gpu, dollars; two or three, separated by "
            "commas, give the Pareto front",
            SPACE, metavar="NAME", default="step_time; serving: tokens_per_second_per_gpu",
            choices="studies.search.request:EVERY_OBJECTIVE", separator=",",
        ),
    ] = None  # fmt: skip
    pin: Annotated[
        tuple[str, ...],
        Option(
            "Fix an axis, or list its values: pp=16,ep=64 or schedule=1f1b|zb1p; repeatable",
            SPACE, metavar="AXIS=VALUE",
        ),
    ] = ()  # fmt: skip
    where: Annotated[
        tuple[str, ...],
        Option("A condition such as 'tp <= 8 and ep >= 8'; repeatable", SPACE, metavar="CONDITION"),
    ] = ()
    whole: Annotated[
        bool,
        Option("Evaluate every layout, also those that cannot be among the best", SPACE),
    ] = False
    engine: Annotated[
        str | None,
        Option(
            "numpy, or fast: compiled code, with the extra fast; the same numbers", SPACE,
            metavar="NAME", default="numpy", choices="studies.search.request:ENGINES",
        ),
    ] = None  # fmt: skip
    top: Annotated[
        int | None,
        Option("Number of best layouts to show", shared.SHOWN, dimension="count", default="3"),
    ] = None
    why: Annotated[
        str | None,
        Option(
            "Explain why a layout, such as tp=4,pp=8, is not among the best", shared.SHOWN,
            metavar="AXIS=VALUE",
        ),
    ] = None  # fmt: skip
    timing: Annotated[
        bool,
        Option("Show the layouts examined per second, which varies between runs", shared.SHOWN),
    ] = False
    sequence: shared.TrainedSequence = None
    global_batch: Annotated[
        int | None, Option("Sequences of a training step", shared.TRAINING, dimension="count")
    ] = None
    train_tokens: Annotated[
        int | None,
        Option("Tokens of a whole run, for its price", shared.TRAINING, dimension="tokens"),
    ] = None
    past: shared.ServedContext = None
    slo: shared.Slo = ()
    concurrency: Annotated[
        int | None, Option(shared.CONCURRENCY, shared.REQUESTS, dimension="count")
    ] = None
    prompt_tokens: shared.PromptTokens = None
    response_tokens: shared.ResponseTokens = None
    hit_rate: shared.HitRate = None
    prefill_layout: shared.PrefillLayout = None
    draft_tokens: shared.DraftTokens = None
    acceptance: shared.Acceptance = None
    memory_fraction: shared.MemoryFraction = None
    kv_dtype: shared.KVDtype = None
    setup: shared.EstimatedSetup = None
    precision: shared.ProductPrecision = None
    recipe: shared.Recipe = None
    imbalance: shared.Imbalance = None
    oversubscription: shared.Oversubscription = None
    dispatch: shared.Dispatch = None
    combine: shared.Combine = None
    with_mtp: shared.WithMtp = False
