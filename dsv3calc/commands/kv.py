"""``dsv3calc kv``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated

import typer

from dsv3calc.commands.options import (
    Amount,
    AsOption,
    BatchOption,
    IgnoreKeyOption,
    KVDtypeOption,
    MlaOption,
    ModelArgument,
    MtpOption,
    PresetPathOption,
    SetOption,
    amount,
    notes,
    with_output,
)
from dsv3calc.queries.base import KVQuery


@with_output
def kv(
    model: ModelArgument,
    tokens: Annotated[
        Amount | None,
        typer.Option(
            "--tokens",
            parser=amount("--tokens", "tokens"),
            metavar="TOKENS",
            help="Tokens of each sequence [4096]. 128k is 128,000 and 128Ki 131,072.",
        ),
    ] = None,
    batch: BatchOption = None,
    kv_dtype: KVDtypeOption = None,
    page_size: Annotated[
        Amount | None,
        typer.Option(
            "--page-size",
            parser=amount("--page-size", "tokens"),
            metavar="TOKENS",
            help="Tokens of a cache page [1].",
        ),
    ] = None,
    fit: Annotated[
        Amount | None,
        typer.Option(
            "--fit",
            parser=amount("--fit", "bytes"),
            metavar="BYTES",
            help="Show what fits in this many bytes, such as 40GiB.",
        ),
    ] = None,
    mla: MlaOption = None,
    with_mtp: MtpOption = False,
    library: AsOption = None,
    set_: SetOption = None,
    preset_path: PresetPathOption = None,
    ignore_key: IgnoreKeyOption = None,
) -> KVQuery:
    """KV cache of a model: per token, sequence and batch, and what fits.

    Examples:

      dsv3calc kv deepseek-v3 --tokens 128k --batch 32 --kv-dtype fp8-mla

      dsv3calc kv gemma-3-27b --tokens 128Ki --page-size 16

      dsv3calc kv deepseek-v3 --tokens 8192 --fit 40GiB --json
    """
    return KVQuery(
        model=model,
        tokens=tokens,
        batch=batch,
        kv_dtype=kv_dtype,
        page_size=page_size,
        fit=fit,
        mla=mla,
        with_mtp=with_mtp,
        library=library,
        notes=notes(tokens, batch, page_size),
        set=tuple(set_ or ()),
        preset_path=preset_path,
        ignore_keys=tuple(ignore_key or ()),
    )
