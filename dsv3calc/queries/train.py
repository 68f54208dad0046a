"""The query about a training step as data; None means "not given": the answer has the default."""

# SPDX-License-Identifier: Apache-2.0
from typing import ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.fields import Annotated, Option
from dsv3calc.queries.layout import LayoutQuery


class TrainQuery(LayoutQuery, frozen=True, kw_only=True):
    """Time of a training step, tokens per second, MFU, cost of a run.

    Examples:

      dsv3calc train deepseek-v3 --layout v3-pretrain --hardware h800

      dsv3calc train llama-3.1-8b --hardware h100 --dp 8 --global-batch 64

      dsv3calc train qwen2.5-72b --hardware h100 --tp 8 --global-batch 64
    """

    command: ClassVar[str] = "train"

    sequence: shared.TrainedSequence = None
    train_tokens: Annotated[
        int | None,
        Option(
            "Tokens of a whole run, such as 14.8T", shared.TRAINING, dimension="tokens",
            default="none: no cost",
        ),
    ] = None  # fmt: skip
    schedule: shared.Schedule = None
    virtual_pipeline: shared.VirtualPipeline = None
    sequence_parallel: shared.SequenceParallel = None
    recompute: shared.Recomputation = None
    setup: shared.EstimatedSetup = None
    precision: shared.ProductPrecision = None
    recipe: shared.Recipe = None
    require_fit: Annotated[bool, Option("Exit with 1 if it does not fit", shared.SHOWN)] = False
    imbalance: shared.Imbalance = None
    oversubscription: shared.Oversubscription = None
    in_network: shared.InNetwork = False
    pue: shared.Pue = None
