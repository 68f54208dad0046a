"""``dsv3calc limits ep``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated

import typer

from dsv3calc.commands.options import (
    Amount,
    CombineOption,
    DispatchOption,
    HardwareOption,
    IgnoreKeyOption,
    LatencyOption,
    MetadataOption,
    NetworkOption,
    PrecisionOption,
    PresetPathOption,
    SetOption,
    amount,
    complete,
    measure,
    notes,
    with_output,
)
from dsv3calc.errors import UsageError
from dsv3calc.queries.traffic import LimitsEPQuery


@with_output
def limits_ep(
    hardware: HardwareOption,
    model_: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="Preset name, path to a preset or config.json (or its folder), or - for stdin.",
            autocompletion=complete("model"),
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="The same, as an option.",
            autocompletion=complete("model"),
        ),
    ] = None,
    tokens: Annotated[
        Amount | None,
        typer.Option(
            "--tokens",
            parser=amount("--tokens", "tokens"),
            metavar="TOKENS",
            help="Tokens of one device in a micro-batch [32].",
        ),
    ] = None,
    convention: Annotated[
        str | None,
        typer.Option(
            "--convention",
            metavar="NAME",
            help="as-configured, or isca25 as the paper counts [as-configured].",
        ),
    ] = None,
    link: Annotated[
        str | None,
        typer.Option(
            "--link",
            metavar="LINK",
            help="scale-out or scale-up [scale-out].",
        ),
    ] = None,
    bandwidth: Annotated[
        str | None,
        typer.Option(
            "--bandwidth",
            metavar="KIND",
            help="nominal or achieved [nominal].",
        ),
    ] = None,
    precision: PrecisionOption = None,
    dispatch: DispatchOption = None,
    combine: CombineOption = None,
    metadata: MetadataOption = None,
    network: NetworkOption = None,
    latency: LatencyOption = None,
    mtp_acceptance: Annotated[
        float | None,
        typer.Option(
            "--mtp-acceptance",
            parser=measure("--mtp-acceptance", "ratio"),
            metavar="RATIO",
            help="Acceptance rate of the MTP token, such as 85%.",
        ),
    ] = None,
    mtp_cost: Annotated[
        float | None,
        typer.Option(
            "--mtp-cost",
            parser=measure("--mtp-cost", "ratio"),
            metavar="RATIO",
            help="Share of a step that the MTP module adds [0].",
        ),
    ] = None,
    set_: SetOption = None,
    preset_path: PresetPathOption = None,
    ignore_key: IgnoreKeyOption = None,
) -> LimitsEPQuery:
    """The speed limit of inference with expert parallelism, and what sets it.

    Examples:

      dsv3calc limits ep deepseek-v3 --hardware h800 --tokens 32

      dsv3calc limits ep --model deepseek-v3 --hardware h800 --convention isca25

      dsv3calc limits ep --model deepseek-v3 --hardware h100 --link scale-up

      dsv3calc limits ep --model kimi-k2 --hardware h800 --mtp-acceptance 85%
    """  # noqa: D401 - a line of help, not a sentence
    named = model_ if model is None else model
    if named is None or (model is not None and model_ is not None):
        raise UsageError(
            "limits ep takes one model, as an argument or with --model",
            "dsv3calc limits ep deepseek-v3 --hardware h800",
        )
    return LimitsEPQuery(
        model=named,
        hardware=hardware,
        tokens=tokens,
        convention=convention,
        link=link,
        bandwidth=bandwidth,
        precision=precision,
        dispatch=dispatch,
        combine=combine,
        metadata=metadata,
        network=network,
        latency=latency,
        mtp_acceptance=mtp_acceptance,
        mtp_cost=mtp_cost,
        notes=notes(tokens),
        set=tuple(set_ or ()),
        preset_path=preset_path,
        ignore_keys=tuple(ignore_key or ()),
    )
