"""The query about a training step as data; None means "not given": the answer has the default."""

# SPDX-License-Identifier: Apache-2.0
from typing import Annotated, ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.fields import Option
from dsv3calc.queries.layout import LayoutQuery


class TrainQuery(LayoutQuery, frozen=True, kw_only=True):
    """Time of a training step, tokens a second, share of the peak, cost of a run.

    Examples:

      dsv3calc train deepseek-v3 --layout v3-pretrain --hardware h800

      dsv3calc train llama-3.1-8b --hardware h100 --dp 8 --global-batch 64

      dsv3calc train qwen2.5-72b --hardware h100 --tp 8 --global-batch 64
    """

    command: ClassVar[str] = "train"

    sequence: Annotated[
        int | None,
        Option(
            "New tokens of each sequence", shared.TRAINING, flag="--seq", dimension="tokens",
            default="4096",
        ),
    ] = None  # fmt: skip
    train_tokens: Annotated[
        int | None,
        Option(
            "Tokens of a whole run, such as 14.8T", shared.TRAINING, dimension="tokens",
            default="none: no cost",
        ),
    ] = None  # fmt: skip
    schedule: Annotated[
        str | None,
        Option(
            "gpipe, 1f1b, interleaved, zb1p, zbv, dualpipe or dualpipev", shared.TRAINING,
            metavar="NAME", default="1f1b", choices="schema.layout:Schedule",
        ),
    ] = None  # fmt: skip
    virtual_pipeline: Annotated[
        int | None,
        Option("Chunks of layers of a rank, interleaved", shared.TRAINING, dimension="count"),
    ] = None
    sequence_parallel: Annotated[
        bool | None, Option("Divide tokens over tp between blocks", shared.DEGREES)
    ] = None
    recompute: Annotated[
        str | None,
        Option(
            "none, selective, full, v3-recompute, or modules: layernorm,moe_act",
            shared.ACTIVATIONS, metavar="POLICY", default="layout's", preset="recompute",
            choices="model.saved:MODULES", separator=",",
        ),
    ] = None  # fmt: skip
    setup: Annotated[
        str | None,
        Option(
            "Set-up of software, which the estimate is for", shared.DEGREES, metavar="NAME",
            default="none: no estimate", preset="setup",
        ),
    ] = None  # fmt: skip
    precision: Annotated[
        str | None,
        Option(
            "Precision of weights, products and dispatched tokens", shared.FORMATS,
            metavar="NAME", default="the model's", preset="precision",
        ),
    ] = None  # fmt: skip
    recipe: Annotated[
        str | None,
        Option(
            "Bits of gradients, master weights and moments", shared.FORMATS, metavar="NAME",
            default="the precision's", preset="recipe",
        ),
    ] = None  # fmt: skip
    imbalance: Annotated[
        float | None,
        Option(
            "Rows of the most loaded GPU's experts over the mean", shared.EXPERTS,
            dimension="ratio", default="1",
        ),
    ] = None  # fmt: skip
    oversubscription: Annotated[
        float | None,
        Option(
            "Bandwidth below the leaf switches of the network over that above", shared.LINKS,
            dimension="ratio", default="1",
        ),
    ] = None  # fmt: skip
