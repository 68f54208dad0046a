"""Prefill in seconds: a pass over prompts, the tokens of a second, the first token."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.serving.passes import whole_pass
from dsv3calc.accounting.serving.stages import StagedSteps
from dsv3calc.accounting.serving.transfer import transfer_lines
from dsv3calc.formulas import serving_times
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.model.operator import ONE
from dsv3calc.schema.layout import Layout

if TYPE_CHECKING:
    from typing import Any

    from dsv3calc.accounting.serving.transfer import Handover
    from dsv3calc.accounting.times.fold import Fold


class PrefillLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``serve.prefill.*`` [s] of a pass, the tokens of a second, and the first token.

    ``first_token`` is None where the set-up states no time of the host for it, or a pass has
    several prompts. ``transfer`` are ``serve.transfer.*`` of a prompt, where other GPUs decode.
    """

    times: dict[str, Line]
    per_gpu: Line
    token_seconds: Line
    new_tokens: Line
    transfer: dict[str, Line]
    first_token: Line | None


def prefill_lines(
    fold: Fold, prompt_tokens: Any, hit_rate: Any, handover: Handover | None = None
) -> PrefillLines:
    """Give the seconds of a prefill pass, and the tokens that a GPU computes in a second.

    ``handover`` tells how GPUs of another layout, which decode, get the cache of a prompt.
    """
    own_layout = handover is not None
    workload, layout = fold.setting.workload, fold.setting.layout
    prompt = given("prompt_tokens", prompt_tokens, "tokens")
    hit = given("hit_rate", hit_rate, "ratio")
    cached = computed(
        "serve.prefill.cached_tokens",
        serving_times.cached_prompt_tokens,
        prompt_tokens=prompt,
        hit_rate=hit,
    )
    new = combined("serve.prefill.new_tokens", "difference", (prompt, cached), unit="tokens")
    prompts = given("prefill_batch", workload.batch, "1", "prompts of a pass of a replica")
    put = {"workload.sequence": new, "workload.past": cached, "workload.batch": prompts}
    if own_layout:
        put |= {
            f"layout.{name}": given(f"serve.prefill.layout.{name}", getattr(layout, name), "1")
            for name in Layout.__struct_fields__
        }
    found = whole_pass(fold, "serve.prefill.", put)
    times = {
        what: total(f"serve.prefill.{what}", (line,), unit="s")
        for what, line in found.times.items()
    }
    last = list(times)[-1]
    busy, at_once = times[last], ONE
    if layout.pp > 1:
        at_once = degree(layout, "pp") if not own_layout else put["layout.pp"]
        staged = StagedSteps(fold, "serve.prefill.", put, at_once, prompts)
        busy = staged.step(last, times[last])
        times = {
            what: total(f"serve.prefill.{what}", (line, staged.sends_in(what)), unit="s")
            for what, line in found.times.items()
        }
    tokens = combined("serve.prefill.tokens", "product", (prompts, new), unit="tokens")
    at_once_tokens = tokens
    if at_once is not ONE:
        at_once_tokens = combined("serve.prefill.tokens_at_once", "product", (tokens, at_once))
    rate = combined("serve.prefill.replica_rate", "ratio", (tokens, busy), unit="tokens/s")
    scope = ("serve.prefill.layout" if own_layout else "layout", layout)
    gpus = combined(
        "serve.prefill.gpus_of_a_replica",
        "product",
        [field(scope, axis, "1") for axis in ("tp", "cp")],
    )
    transfer = {}
    if handover is not None:
        transfer = transfer_lines(fold, handover, prompt, times[last], gpus)
    return PrefillLines(
        times=times,
        per_gpu=combined(
            "serve.tokens_per_second_per_gpu.prefill",
            "ratio",
            (rate, gpus),
            unit="tokens/s",
            convention=f"computed tokens, by the {last}",
        ),
        token_seconds=combined(
            "serve.prefill.token_seconds", "ratio", (busy, at_once_tokens), unit="s"
        ),
        new_tokens=new,
        transfer=transfer,
        first_token=_first_token(fold, times[last], transfer.get("wait")),
    )


def _first_token(fold: Fold, seconds: Line, wait: Line | None) -> Line | None:
    software = fold.software
    prompts = fold.setting.workload.batch
    several = type(prompts) is not int or prompts > 1
    if software is None or software.times.first_token is None or several:
        return None
    parts = [field(software.scope, "first_token", "s"), seconds]
    parts += [] if wait is None else [wait]
    return total("serve.ttft", parts, unit="s", convention="one prompt, nothing before it")
