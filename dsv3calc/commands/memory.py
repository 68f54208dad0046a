"""``dsv3calc memory``."""

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
    MirrorOptimizerOption,
    PpOption,
    RedundantExpertsOption,
    ScheduleOption,
    SequenceParallelOption,
    SharedExpertsOption,
    TpOption,
    VirtualPipelineOption,
    ZeroOption,
)
from dsv3calc.commands.options import (
    Amount,
    CombineOption,
    DispatchOption,
    HardwareOption,
    IgnoreKeyOption,
    KVDtypeOption,
    ModelArgument,
    MtpOption,
    PresetPathOption,
    SeqOption,
    SetOption,
    amount,
    complete,
    measure,
    notes,
    with_output,
)
from dsv3calc.queries.memory import MemoryQuery


@with_output
def memory(
    model: ModelArgument,
    hardware: HardwareOption,
    layout: LayoutOption = None,
    tp: TpOption = None,
    cp: CpOption = None,
    pp: PpOption = None,
    dp: DpOption = None,
    ep: EpOption = None,
    etp: EtpOption = None,
    sequence_parallel: SequenceParallelOption = None,
    redundant_experts: RedundantExpertsOption = None,
    shared_experts: SharedExpertsOption = None,
    layer_split: LayerSplitOption = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            metavar="NAME",
            help="Precision of weights and dispatched tokens [the model's].",
            autocompletion=complete("precision"),
        ),
    ] = None,
    zero: ZeroOption = None,
    schedule: ScheduleOption = None,
    virtual_pipeline: VirtualPipelineOption = None,
    mirror_optimizer: MirrorOptimizerOption = None,
    micro_batch: MicroBatchOption = None,
    global_batch: GlobalBatchOption = None,
    seq: SeqOption = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="NAME",
            help="Bits of gradients, master weights and moments [the precision's].",
            autocompletion=complete("recipe"),
        ),
    ] = None,
    compute_copy: Annotated[
        str | None,
        typer.Option(
            "--compute-copy",
            metavar="COPY",
            help="Copy of the weights: stored, stored-twice, bf16, bf16-and-stored [recipe's].",
        ),
    ] = None,
    recompute: Annotated[
        str | None,
        typer.Option(
            "--recompute",
            metavar="POLICY",
            help="none, selective, full, v3-recompute, or modules: layernorm,moe_act [layout's].",
            autocompletion=complete("recompute"),
        ),
    ] = None,
    attention_kernel: Annotated[
        str | None,
        typer.Option(
            "--attention-kernel",
            metavar="KERNEL",
            help="flash, or unfused: scores are kept [flash].",
        ),
    ] = None,
    routing_weights: Annotated[
        str | None,
        typer.Option(
            "--routing-weights",
            metavar="WHEN",
            help="Apply routing weights before or after the down-projection [before].",
        ),
    ] = None,
    dropout: Annotated[bool, typer.Option("--dropout", help="Count dropout masks.")] = False,
    imbalance: Annotated[
        float | None,
        typer.Option(
            "--imbalance",
            parser=measure("--imbalance", "ratio"),
            metavar="RATIO",
            help="Rows of the most loaded GPU's experts over the mean [1].",
        ),
    ] = None,
    dispatch: DispatchOption = None,
    combine: CombineOption = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime",
            metavar="NAME",
            help="Framework overhead preset [pytorch].",
            autocompletion=complete("runtime"),
        ),
    ] = None,
    padded: Annotated[
        bool, typer.Option("--padded", help="Count whole elements, and a padded vocabulary.")
    ] = False,
    with_mtp: MtpOption = False,
    as_: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="LIBRARY",
            help="Count as mem-2502.07846 does, or show megatron's figures beside ours.",
        ),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="PART", help="class, or tensor: of one rank.")
    ] = "class",
    rank: Annotated[
        Amount | None,
        typer.Option(
            "--rank",
            parser=amount("--rank", "count", 0),
            metavar="N",
            help="Pipeline rank to show in detail [the fullest].",
        ),
    ] = None,
    require_fit: Annotated[
        bool, typer.Option("--require-fit", help="Exit with 1 if it does not fit.")
    ] = False,
    fewest_gpus: Annotated[
        bool,
        typer.Option(
            "--fewest-gpus",
            help="Find the fewest GPUs on which it fits, varying dp, pp and ep that are not given.",
        ),
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the model instead of training it.")
    ] = False,
    context: Annotated[
        Amount | None,
        typer.Option(
            "--context",
            parser=amount("--context", "tokens"),
            metavar="TOKENS",
            help="Tokens of each sequence in the cache; with --serve [4096].",
        ),
    ] = None,
    batch: Annotated[
        Amount | None,
        typer.Option(
            "--batch",
            parser=amount("--batch", "count"),
            metavar="N",
            help="Sequences of one attention replica; with --serve [1].",
        ),
    ] = None,
    tokens: Annotated[
        Amount | None,
        typer.Option(
            "--tokens",
            parser=amount("--tokens", "tokens"),
            metavar="TOKENS",
            help="Tokens of one pass of a replica; with --serve [one for each sequence].",
        ),
    ] = None,
    kv_dtype: KVDtypeOption = None,
    memory_fraction: Annotated[
        float | None,
        typer.Option(
            "--memory-fraction",
            parser=measure("--memory-fraction", "ratio"),
            metavar="SHARE",
            help="Share of the device that the server takes; with --serve [the runtime's].",
        ),
    ] = None,
    page_size: Annotated[
        Amount | None,
        typer.Option(
            "--page-size",
            parser=amount("--page-size", "tokens"),
            metavar="TOKENS",
            help="Tokens of a page of the cache; with --serve [the runtime's].",
        ),
    ] = None,
    absorbed: Annotated[
        bool,
        typer.Option("--absorbed", help="Keep a BF16 copy of MLA's kv_b_proj; with --serve."),
    ] = False,
    low_latency: Annotated[
        bool,
        typer.Option(
            "--low-latency", help="Count the buffers of low-latency kernels; with --serve."
        ),
    ] = False,
    set_: SetOption = None,
    preset_path: PresetPathOption = None,
    ignore_key: IgnoreKeyOption = None,
) -> MemoryQuery:
    """Memory of a layout's GPUs by class, and whether it fits: training or serving.

    Examples:

      dsv3calc memory deepseek-v3 --layout v3-pretrain --hardware h800

      dsv3calc memory qwen2.5-72b --tp 8 --zero 1 --hardware h200 --by tensor

      dsv3calc memory llama-3.1-8b --dp 8 --zero 3 --hardware h100 --require-fit

      dsv3calc memory qwen2.5-72b --serve --layout dense-tp8 --hardware h200
    """
    return MemoryQuery(
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
        schedule=schedule,
        virtual_pipeline=virtual_pipeline,
        sequence_parallel=sequence_parallel,
        layer_split=layer_split,
        mirror_optimizer=mirror_optimizer,
        micro_batch=micro_batch,
        global_batch=global_batch,
        redundant_experts=redundant_experts,
        shared_experts=shared_experts,
        sequence=seq,
        precision=precision,
        recipe=recipe,
        compute_copy=compute_copy,
        recompute=recompute,
        attention_kernel=attention_kernel,
        routing_weights=routing_weights,
        dropout=dropout,
        imbalance=imbalance,
        dispatch=dispatch,
        combine=combine,
        runtime=runtime,
        padded=padded,
        with_mtp=with_mtp,
        library=as_,
        by=by,
        rank=rank,
        require_fit=require_fit,
        fewest_gpus=fewest_gpus,
        serve=serve,
        context=context,
        batch=batch,
        tokens=tokens,
        kv_dtype=kv_dtype,
        memory_fraction=memory_fraction,
        page_size=page_size,
        absorbed=absorbed,
        low_latency=low_latency,
        notes=notes(seq, context, tokens),
        set=tuple(set_ or ()),
        preset_path=preset_path,
        ignore_keys=tuple(ignore_key or ()),
    )
