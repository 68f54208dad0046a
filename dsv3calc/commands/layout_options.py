"""Options that give or change a layout, for every command that takes one."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated

import typer

from dsv3calc.commands.options import Amount, amount, complete


def _count(option: str, help_: str, least: int = 1) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(
        option, parser=amount(option, "count", least), metavar="N", help=help_
    )
    return found


LayoutOption = Annotated[
    str | None,
    typer.Option(
        "--layout",
        metavar="NAME",
        help="Layout preset, such as v3-pretrain; options below change it.",
        autocompletion=complete("layout"),
    ),
]
TpOption = Annotated[Amount | None, _count("--tp", "Tensor-parallel GPUs.")]
CpOption = Annotated[Amount | None, _count("--cp", "Context-parallel GPUs.")]
PpOption = Annotated[Amount | None, _count("--pp", "Pipeline ranks.")]
DpOption = Annotated[
    Amount | None,
    _count("--dp", "Data-parallel replicas [as many as one expert-parallel group needs]."),
]
EpOption = Annotated[Amount | None, _count("--ep", "GPUs that share a layer's experts.")]
EtpOption = Annotated[
    Amount | None,
    _count("--etp", "GPUs that share one expert [training: tp, 1 with --ep; serving: tp dp / ep]."),
]
MicroBatchOption = Annotated[
    Amount | None, _count("--micro-batch", "Sequences of a micro-batch of one replica.")
]
GlobalBatchOption = Annotated[
    Amount | None, _count("--global-batch", "Sequences of a training step.")
]
RedundantExpertsOption = Annotated[
    Amount | None,
    _count("--redundant-experts", "Replicas of routed experts, beside the experts themselves.", 0),
]
SharedExpertsOption = Annotated[
    str | None,
    typer.Option(
        "--shared-experts",
        metavar="PLACE",
        help="local (divided over tp), replicated, or routed: dispatched like a routed expert.",
    ),
]
ZeroOption = Annotated[
    Amount | None, _count("--zero", "ZeRO stage 0 to 3: what replicas share [0].", 0)
]
ScheduleOption = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="NAME",
        help="gpipe, 1f1b, interleaved, zb1p, zbv, dualpipe or dualpipev [1f1b].",
    ),
]
VirtualPipelineOption = Annotated[
    Amount | None, _count("--virtual-pipeline", "Chunks of layers of a rank, interleaved.")
]
SequenceParallelOption = Annotated[
    bool | None,
    typer.Option(
        "--sequence-parallel",
        help="Divide tokens over tp between blocks.",
    ),
]
LayerSplitOption = Annotated[
    str | None,
    typer.Option(
        "--layer-split",
        metavar="SPLIT",
        help="even, balanced (embedding and head count as layers), or 4*15,1 [even].",
    ),
]
MirrorOptimizerOption = Annotated[
    bool | None,
    typer.Option(
        "--mirror-optimizer",
        help="The two DualPipe ranks of a stage share one shard of optimizer states.",
    ),
]
