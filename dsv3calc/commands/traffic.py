"""``dsv3calc traffic``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated

import typer

from dsv3calc.commands.layout_options import (
    CpOption,
    DpOption,
    EpOption,
    EtpOption,
    GlobalBatchOption,
    LayerSplitOption,
    LayoutOption,
    MicroBatchOption,
    PpOption,
    RedundantExpertsOption,
    SharedExpertsOption,
    TpOption,
    ZeroOption,
)
from dsv3calc.commands.options import (
    Amount,
    CombineOption,
    DispatchOption,
    HardwareOption,
    IgnoreKeyOption,
    LatencyOption,
    MetadataOption,
    ModelArgument,
    MtpOption,
    NetworkOption,
    PrecisionOption,
    PresetPathOption,
    SetOption,
    amount,
    measure,
    notes,
    with_output,
)
from dsv3calc.queries.traffic import TrafficQuery


@with_output
def traffic(
    model: ModelArgument,
    hardware: HardwareOption,
    layout: LayoutOption = None,
    tp: TpOption = None,
    cp: CpOption = None,
    pp: PpOption = None,
    dp: DpOption = None,
    ep: EpOption = None,
    etp: EtpOption = None,
    zero: ZeroOption = None,
    micro_batch: MicroBatchOption = None,
    global_batch: GlobalBatchOption = None,
    redundant_experts: RedundantExpertsOption = None,
    shared_experts: SharedExpertsOption = None,
    layer_split: LayerSplitOption = None,
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Count a forward pass of serving [layout's phase]."),
    ] = False,
    seq: Annotated[
        Amount | None,
        typer.Option(
            "--seq",
            parser=amount("--seq", "tokens"),
            metavar="TOKENS",
            help="Tokens of each sequence [4096].",
        ),
    ] = None,
    tokens: Annotated[
        Amount | None,
        typer.Option(
            "--tokens",
            parser=amount("--tokens", "tokens"),
            metavar="TOKENS",
            help="Tokens that one GPU dispatches in a micro-batch [from --seq and the layout].",
        ),
    ] = None,
    precision: PrecisionOption = None,
    dispatch: DispatchOption = None,
    combine: CombineOption = None,
    backward_dispatch: Annotated[
        str | None,
        typer.Option(
            "--backward-dispatch",
            metavar="FORMAT",
            help="Format of gradients sent to the experts in the backward pass [as --dispatch].",
        ),
    ] = None,
    backward_combine: Annotated[
        str | None,
        typer.Option(
            "--backward-combine",
            metavar="FORMAT",
            help="Format of gradients returned from the experts [bf16].",
        ),
    ] = None,
    no_scales: Annotated[bool, typer.Option("--no-scales", help="Do not count scales.")] = False,
    metadata: MetadataOption = None,
    forwarding: Annotated[
        str | None,
        typer.Option(
            "--forwarding",
            metavar="WAY",
            help="node-limited, per-gpu or per-expert [node-limited].",
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="POLICY",
            help="unrestricted, random-groups or group-limited [the model's].",
        ),
    ] = None,
    law: Annotated[
        str | None,
        typer.Option(
            "--law",
            metavar="LAW",
            help="Distribution of router scores: uniform, sigmoid-normal, exponential [uniform].",
        ),
    ] = None,
    group_score: Annotated[
        str | None,
        typer.Option(
            "--group-score",
            metavar="SCORE",
            help="Score of a group: top2-sum, top-k-over-m-sum or max [the model's].",
        ),
    ] = None,
    imbalance: Annotated[
        float | None,
        typer.Option(
            "--imbalance",
            parser=measure("--imbalance", "ratio"),
            metavar="RATIO",
            help="Traffic of the busiest GPU over the mean [1].",
        ),
    ] = None,
    network: NetworkOption = None,
    latency: LatencyOption = None,
    scale_up_latency: Annotated[
        float | None,
        typer.Option(
            "--scale-up-latency",
            parser=measure("--scale-up-latency", "s"),
            metavar="TIME",
            help="Latency of a message over the scale-up link [0].",
        ),
    ] = None,
    compute_time: Annotated[
        float | None,
        typer.Option(
            "--compute-time",
            parser=measure("--compute-time", "s"),
            metavar="TIME",
            help="Computation per layer of another micro-batch that overlaps.",
        ),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(
            "--algorithm",
            metavar="WAY",
            help="Algorithm of other collectives: ring, tree, hierarchical, switch-reduced [ring].",
        ),
    ] = None,
    mla_context: Annotated[
        str | None,
        typer.Option(
            "--mla-context",
            metavar="FORM",
            help="What context parallelism sends for MLA: latent or expanded [latent].",
        ),
    ] = None,
    gradient_reduction: Annotated[
        str | None,
        typer.Option(
            "--gradient-reduction",
            metavar="WHEN",
            help="Reduce gradients per step or per micro-batch [step; from ZeRO 2 micro-batch].",
        ),
    ] = None,
    activation_dtype: Annotated[
        str | None,
        typer.Option(
            "--activation-dtype",
            metavar="DTYPE",
            help="Data type of activations in other collectives: fp32, bf16, fp16, fp8 [bf16].",
        ),
    ] = None,
    gradient_dtype: Annotated[
        str | None,
        typer.Option("--gradient-dtype", metavar="DTYPE", help="Data type of gradients [fp32]."),
    ] = None,
    parameter_dtype: Annotated[
        str | None,
        typer.Option("--parameter-dtype", metavar="DTYPE", help="Data type of parameters [bf16]."),
    ] = None,
    with_mtp: MtpOption = False,
    set_: SetOption = None,
    preset_path: PresetPathOption = None,
    ignore_key: IgnoreKeyOption = None,
) -> TrafficQuery:
    """What the GPUs of a layout send over which link, and how long it takes.

    Examples:

      dsv3calc traffic deepseek-v3 --layout v3-pretrain --hardware h800

      dsv3calc traffic deepseek-v3 --ep 64 --tokens 128 --hardware h800

      dsv3calc traffic deepseek-v3 --layout v3-pretrain --hardware h800 --json

      dsv3calc traffic qwen3-32b --tp 8 --dp 8 --global-batch 64 --hardware h100
    """  # noqa: D401 - a line of help, not a sentence
    return TrafficQuery(
        model=model,
        hardware=hardware,
        layout=layout,
        tp=tp,
        cp=cp,
        pp=pp,
        dp=dp,
        ep=ep,
        etp=etp,
        zero=zero,
        micro_batch=micro_batch,
        global_batch=global_batch,
        redundant_experts=redundant_experts,
        shared_experts=shared_experts,
        layer_split=layer_split,
        serve=serve,
        sequence=seq,
        tokens=tokens,
        precision=precision,
        dispatch=dispatch,
        combine=combine,
        backward_dispatch=backward_dispatch,
        backward_combine=backward_combine,
        no_scales=no_scales,
        metadata=metadata,
        forwarding=forwarding,
        policy=policy,
        law=law,
        group_score=group_score,
        imbalance=imbalance,
        network=network,
        latency=latency,
        scale_up_latency=scale_up_latency,
        compute_time=compute_time,
        algorithm=algorithm,
        mla_context=mla_context,
        gradient_reduction=gradient_reduction,
        activation_dtype=activation_dtype,
        gradient_dtype=gradient_dtype,
        parameter_dtype=parameter_dtype,
        with_mtp=with_mtp,
        notes=notes(tokens, seq),
        set=tuple(set_ or ()),
        preset_path=preset_path,
        ignore_keys=tuple(ignore_key or ()),
    )
