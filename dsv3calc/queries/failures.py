"""The query about failures of a training run as data."""

# SPDX-License-Identifier: Apache-2.0
from typing import ClassVar

from dsv3calc.queries.fields import Annotated, Option
from dsv3calc.queries.train import TrainQuery

RUN, CHECKPOINTS = "Run", "Checkpoints"


class FailuresQuery(TrainQuery, frozen=True, kw_only=True):
    """Interruptions of a training run, its checkpoints, and the share of time that is lost.

    Examples:

      dsv3calc failures deepseek-v3 --layout v3-pretrain --hardware h800

      dsv3calc failures llama-3.1-8b --hardware h800 --dp 512 --restart 10min

      dsv3calc failures mixtral-8x7b --hardware h800 --dp 64 --interval 30min
    """

    command: ClassVar[str] = "failures"

    failures: Annotated[
        str | None,
        Option(
            "Preset with the failure counts of another run", RUN, metavar="NAME",
            default="llama-3-54-days", preset="failures",
        ),
    ] = None  # fmt: skip
    gpu_hours: Annotated[
        float | None,
        Option(
            "GPU-hours of the run without failures", RUN, dimension="count", metavar="HOURS",
            default="those of train with --train-tokens",
        ),
    ] = None  # fmt: skip
    storage_bandwidth: Annotated[
        float | None,
        Option(
            "Bandwidth of a node to the storage", CHECKPOINTS, dimension="bytes/s",
            metavar="BANDWIDTH",
            default="the device's host",
        ),
    ] = None  # fmt: skip
    interval: Annotated[
        float | None,
        Option("Interval between checkpoints", CHECKPOINTS, dimension="s", default="best"),
    ] = None
    restart: Annotated[
        float | None,
        Option(
            "Time from an interruption until training resumes, without loading the "
            "checkpoint", CHECKPOINTS,
            dimension="s", default="0",
        ),
    ] = None  # fmt: skip
