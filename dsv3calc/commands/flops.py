"""``dsv3calc flops``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated

import typer

from dsv3calc.commands.options import (
    Amount,
    AsOption,
    BatchOption,
    ConventionOption,
    IgnoreKeyOption,
    MlaOption,
    ModelArgument,
    MtpOption,
    PresetPathOption,
    SeqOption,
    SetOption,
    amount,
    choice,
    notes,
    with_output,
)
from dsv3calc.queries.base import FlopsQuery


@with_output
def flops(
    model: ModelArgument,
    phase: Annotated[
        str, typer.Option("--phase", metavar="PHASE", help="train, prefill or decode.")
    ] = "train",
    batch: BatchOption = None,
    seq: SeqOption = None,
    past: Annotated[
        Amount | None,
        typer.Option(
            "--past",
            parser=amount("--past", "tokens", 0),
            metavar="TOKENS",
            help="Cached tokens of each sequence [4096 in decode, 0 in prefill].",
        ),
    ] = None,
    last_logit: Annotated[
        bool, typer.Option("--last-logit", help="Run the head on the last position alone.")
    ] = False,
    counting: Annotated[
        str | None,
        typer.Option(
            "--counting",
            metavar="HOW",
            help="matmul, six-n or twelve-l-h2 [matmul].",
            autocompletion=choice("counting"),
        ),
    ] = None,
    attention: Annotated[
        str | None,
        typer.Option(
            "--attention",
            metavar="COUNT",
            help="causal, full or half [causal].",
            autocompletion=choice("attention"),
        ),
    ] = None,
    mla: MlaOption = None,
    head: Annotated[
        str | None, typer.Option("--head", metavar="IN|OUT", help="Count the head [in].")
    ] = None,
    router: Annotated[
        str | None, typer.Option("--router", metavar="IN|OUT", help="Count routers [in].")
    ] = None,
    with_mtp: MtpOption = False,
    convention: ConventionOption = None,
    library: AsOption = None,
    set_: SetOption = None,
    preset_path: PresetPathOption = None,
    ignore_key: IgnoreKeyOption = None,
) -> FlopsQuery:
    """FLOPs of a training step, a prefill or a decode step, by component.

    Examples:

      dsv3calc flops deepseek-v3 --phase train --seq 4096

      dsv3calc flops deepseek-v3 --phase decode --past 8192 --mla absorbed

      dsv3calc flops deepseek-v3 --convention isca25-table2
    """
    return FlopsQuery(
        model=model,
        phase=phase,
        batch=batch,
        sequence=seq,
        past=past,
        last_logit=last_logit,
        counting=counting,
        attention=attention,
        mla=mla,
        head=head,
        router=router,
        with_mtp=with_mtp,
        convention=convention,
        library=library,
        notes=notes(batch, seq, past),
        set=tuple(set_ or ()),
        preset_path=preset_path,
        ignore_keys=tuple(ignore_key or ()),
    )
