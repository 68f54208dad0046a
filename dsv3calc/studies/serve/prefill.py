"""Prefill of a server: its layout, a pass over prompts, what tokens cost with it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.energy import energy_line
from dsv3calc.accounting.serving.costs import cost_lines, sharing_lines
from dsv3calc.accounting.serving.prefill import PrefillLines, prefill_lines
from dsv3calc.accounting.serving.transfer import Handover
from dsv3calc.accounting.times.fold import Fold
from dsv3calc.errors import UsageError
from dsv3calc.formulas.serving_times import cached_prompt_tokens
from dsv3calc.ledger.line import combined
from dsv3calc.model.operator import ONE
from dsv3calc.queries.fields import flag_of
from dsv3calc.schema.workload import DEFAULT_SEQUENCE, Workload
from dsv3calc.studies.answer import Answer, add_new
from dsv3calc.studies.checked import number, one_of, positive
from dsv3calc.studies.layout.build import DEGREES, check_grouping, stage_problems
from dsv3calc.studies.layout.check import feed_forward_problems
from dsv3calc.studies.layout.choose import chosen_layout
from dsv3calc.studies.serve.inputs import USED
from dsv3calc.studies.times.remarks import rate_remarks

if TYPE_CHECKING:
    from dsv3calc.accounting.serving.decode import DecodeLines
    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.schema.layout import Layout
    from dsv3calc.studies.serve.inputs import Inputs

_OF_LAYOUT = (*DEGREES, "redundant_experts", "shared_experts", "sequence_parallel")
"""Options that edit the layout for decoding alone."""

_NEEDING = (
    "prompt_tokens", "response_tokens", "hit_rate", "prefill_batch", "transfer", "decode_hit_rate",
)  # fmt: skip
"""Options that mean nothing without prefill."""


TRANSFERS = ("by-layer", "at-end")
"""When a layer of a cache is sent to the GPUs that decode: as it is computed, or after all."""


class Requests:
    """What requests are like: tokens of a prompt and of a response, and what is found."""

    def __init__(self, inputs: Inputs) -> None:
        query = inputs.query
        self.prompt = positive("--prompt-tokens", query.prompt_tokens, DEFAULT_SEQUENCE["prefill"])
        self.hit_rate = number("--hit-rate", query.hit_rate, 0, most=1)
        self.prompts = positive("--prefill-batch", query.prefill_batch, 1)
        self.response = None
        if query.response_tokens is not None:
            self.response = positive("--response-tokens", query.response_tokens, 1)
        self.cached = cached_prompt_tokens(self.prompt, self.hit_rate)
        if self.cached and inputs.layout.dcp > 1 and query.prefill_layout is None:
            raise UsageError(
                f"--hit-rate with dcp {inputs.layout.dcp:,}: gathering the cached tokens is not "
                "counted",
                "leave out --hit-rate, or give --prefill-layout",
            )
        if self.cached >= self.prompt:
            raise UsageError(
                f"--hit-rate {self.hit_rate}: no token of a prompt is left to compute",
                "give a share below 1: engines compute the last token",
            )


def asks_for_prefill(query: ServeQuery) -> bool:
    """Tell whether a query has something that prefill alone needs."""
    return query.prefill_layout is not None or any(
        getattr(query, name) is not None for name in _NEEDING
    )


def prefill_layout(inputs: Inputs) -> Layout | None:
    """Return the layout of prefill; None where the layout is for decoding alone.

    Raises
    ------
    UsageError
        If prefill is asked for and has no layout, or its layout is wrong.
    """
    query, own = inputs.query, inputs.layout
    if inputs.beside is not None:
        return inputs.beside
    if query.prefill_layout is None:
        if own.phase != "decode":
            return own
        given = [flag_of(query, name) for name in _NEEDING if getattr(query, name) is not None]
        if given:
            raise UsageError(
                f"{', '.join(given)}: the layout {own.name} is for decoding",
                "--prefill-layout names the layout of the GPUs that prefill",
            )
        return None
    if any(each.startswith("layout.") for each in query.set):
        raise UsageError(
            "--set layout. and --prefill-layout: there are two layouts", "leave one of them out"
        )
    named: dict[str, Any] = {"layout": query.prefill_layout}
    if "=" in query.prefill_layout:
        named = {"layout": None, **_degrees(query.prefill_layout)}
    changed = msgspec.structs.replace(query, **{**dict.fromkeys(_OF_LAYOUT), **named})
    try:
        found = _checked(inputs, changed)
    except UsageError as error:
        raise UsageError(f"--prefill-layout: {error.message}", error.hint) from None
    if found.phase == "decode":
        raise UsageError(f"--prefill-layout: {found.name} is for decoding")
    inputs.beside = msgspec.structs.replace(found, schedule="1f1b", virtual_pipeline=1)
    return inputs.beside


def _checked(inputs: Inputs, query: ServeQuery) -> Layout:
    """Return the layout of a query, into which the model divides."""
    model, aside = inputs.model.value, Answer("", {})
    found = chosen_layout(query, inputs.loader, aside, model, used=USED, serving=True)
    add_new(inputs.answer.assumptions, aside.assumptions)
    check_grouping(
        model,
        found,
        None,
        hint=inputs.loader.degree_hint,
        more=(
            *feed_forward_problems(model, found),
            *stage_problems(model, found, found.pp),
        ),
    )
    return found


def _degrees(text: str) -> dict[str, int]:
    """Read the degrees of a layout such as ``tp=4,dp=2``.

    Raises
    ------
    UsageError
        If there is no such degree, or it is no number.
    """
    from dsv3calc.studies.search.request import read_pins

    found = read_pins([text], "--prefill-layout", (*DEGREES, "redundant_experts"))
    several = [name for name, values in found.items() if len(values) > 1]
    if several:
        raise UsageError(f"--prefill-layout: {several[0]} has several values", "give one of them")
    return {name: values[0] for name, values in found.items()}


def prefill_of(
    inputs: Inputs, layout: Layout, requests: Requests, *, tell: bool = True
) -> PrefillLines:
    """Time a prefill pass, and tell what it takes for granted."""
    workload = Workload(
        phase="prefill",
        batch=requests.prompts,
        sequence=requests.prompt - requests.cached,
        past=requests.cached,
        logits="last",
    )
    aside = Answer("", {})
    fold = Fold(inputs.setting(workload, layout, aside))
    handover = _handover(inputs)
    found = prefill_lines(fold, requests.prompt, requests.hit_rate, handover)
    if tell:
        _tell(inputs, fold, found, aside, handed=handover is not None)
    return found


def _tell(inputs: Inputs, fold: Fold, found: PrefillLines, aside: Answer, *, handed: bool) -> None:
    """Say what a prefill pass takes for granted, and what is not known of it."""
    if handed and not found.transfer:
        inputs.answer.notes.append(
            f"no transfer of caches: {inputs.hardware.name} has no scale_out link"
        )
    rate_remarks(aside, fold)
    add_new(inputs.answer.assumptions, aside.assumptions)
    for text in aside.warnings:
        inputs.answer.warn(f"prefill: {text}")
    if found.first_token is None:
        inputs.answer.notes.append(
            "no time to the first token: it is mostly the host's, and the set-up states none for "
            "it (--set setup.time.first_token=50ms, with a --setup and one prompt a pass)"
        )


def _handover(inputs: Inputs) -> Handover | None:
    """Return how caches get to the GPUs that decode; None where the same ones prefill."""
    query = inputs.query
    apart = ("decode_hit_rate", "transfer")
    if inputs.beside is None:
        given = [flag_of(query, name) for name in apart if getattr(query, name) is not None]
        if given:
            raise UsageError(
                f"{', '.join(given)}: no cache is handed over, the same GPUs prefill and decode",
                "--prefill-layout names the layout of other GPUs that prefill",
            )
        return None
    rate = number("--decode-hit-rate", query.decode_hit_rate, 0, most=1)
    kind = one_of("--transfer", query.transfer, TRANSFERS, TRANSFERS[0])
    return Handover(layout=inputs.layout, hit_rate=rate, by_layer=kind == TRANSFERS[0])


def shared_lines(
    inputs: Inputs,
    decoded: DecodeLines,
    prefilled: PrefillLines | None,
    requests: Requests,
    batch: int,
) -> list[Line]:
    """Give what tokens cost, and how prefill and decoding share GPUs."""
    hardware = inputs.hardware.value
    found: list[Line] = []
    if hardware.dollars_per_hour is not None:
        found += cost_lines(hardware, decoded, prefilled, requests.hit_rate).values()
    each = combined("serve.gpu_seconds_of_a_token", "ratio", (ONE, decoded.per_gpu), unit="s")
    energy = energy_line("serve.energy_per_token", each, hardware, inputs.pue)
    found += [] if energy is None else [energy]
    if prefilled is not None and requests.response is not None:
        found += sharing_lines(
            decoded,
            prefilled,
            prompt_tokens=requests.prompt,
            hit_rate=requests.hit_rate,
            response_tokens=requests.response,
            batch=batch,
            layouts=None if inputs.beside is None else (inputs.beside, inputs.layout),
        ).values()
    return found
