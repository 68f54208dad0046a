"""``dsv3calc compare``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated

import typer

from dsv3calc.commands.options import (
    Amount,
    BatchOption,
    IgnoreKeyOption,
    KVDtypeOption,
    MlaOption,
    MtpOption,
    PresetPathOption,
    SeqOption,
    SetOption,
    amount,
    complete,
    notes,
    with_output,
)
from dsv3calc.queries.base import CompareQuery


@with_output
def compare(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL...",
            help="Models to compare, or one comparison file.",
            autocompletion=complete("model"),
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="MODEL:CHANGE=VALUE",
            help="A what-if column: attention=gqa:8 (mha, mqa), feed_forward=dense-active or "
            "dense-total, precision=NAME. Repeatable.",
        ),
    ] = None,
    hardware: Annotated[
        str | None,
        typer.Option(
            "--hardware",
            metavar="NAME",
            help="Add roofline bounds on this device.",
            autocompletion=complete("hardware"),
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", metavar="COLUMN", help="Ratios are to this one [the first]."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option("--precision", metavar="NAME", help="One precision for all [each its own]."),
    ] = None,
    kv_dtype: KVDtypeOption = None,
    batch: BatchOption = None,
    context: Annotated[
        Amount | None,
        typer.Option(
            "--context",
            parser=amount("--context", "tokens"),
            metavar="TOKENS",
            help="Cached tokens of each sequence [4096].",
        ),
    ] = None,
    seq: SeqOption = None,
    mla: MlaOption = None,
    with_mtp: MtpOption = False,
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows",
            metavar="SECTIONS",
            help="Show parameters, weights, flops, kv_cache, roofline alone; comma-separated.",
        ),
    ] = None,
    set_: SetOption = None,
    preset_path: PresetPathOption = None,
    ignore_key: IgnoreKeyOption = None,
) -> CompareQuery:
    """Compare designs side by side, with ratios to the first.

    Examples:

      dsv3calc compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800

      dsv3calc compare deepseek-v3 --vary deepseek-v3:attention=gqa:8

      dsv3calc compare deepseek-v3 kimi-k2 --context 128Ki --batch 64 --json
    """
    return CompareQuery(
        models=tuple(models or ()),
        vary=tuple(vary or ()),
        hardware=hardware,
        baseline=baseline,
        precision=precision,
        kv_dtype=kv_dtype,
        batch=batch,
        context=context,
        sequence=seq,
        mla=mla,
        with_mtp=with_mtp,
        rows=() if rows is None else tuple(part.strip() for part in rows.split(",")),
        notes=notes(batch, context, seq),
        set=tuple(set_ or ()),
        preset_path=preset_path,
        ignore_keys=tuple(ignore_key or ()),
    )
