"""``dsv3calc params``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated

import typer

from dsv3calc.commands.options import (
    AsOption,
    IgnoreKeyOption,
    ModelArgument,
    MtpOption,
    PresetPathOption,
    SetOption,
    with_output,
)
from dsv3calc.queries.base import ParamsQuery


@with_output
def params(
    model: ModelArgument,
    by: Annotated[
        str, typer.Option("--by", metavar="UNIT", help="component, tensor or layer.")
    ] = "component",
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant",
            metavar="NAME",
            help="default, trainable, with-mtp, checkpoint, non-embedding or matmul.",
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option("--include", metavar="WHAT", help="Count it too: mtp, scales, mtp-copies ..."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="WHAT", help="Leave it out: embedding, head, norms ..."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option("--precision", metavar="NAME", help="Precision preset [the model's own]."),
    ] = None,
    with_mtp: MtpOption = False,
    library: AsOption = None,
    set_: SetOption = None,
    preset_path: PresetPathOption = None,
    ignore_key: IgnoreKeyOption = None,
) -> ParamsQuery:
    """Parameters of a model, total and active, and the bytes of its weights.

    Examples:

      dsv3calc params deepseek-v3

      dsv3calc params deepseek-v3 --variant checkpoint --exact

      dsv3calc params ./config.json --by layer --format csv
    """
    return ParamsQuery(
        model=model,
        by=by,
        variant=variant,
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        precision=precision,
        with_mtp=with_mtp,
        library=library,
        set=tuple(set_ or ()),
        preset_path=preset_path,
        ignore_keys=tuple(ignore_key or ()),
    )
