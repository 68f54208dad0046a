"""Decoding in seconds: a step, the time per output token, and the tokens of a second."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.serving.passes import ServedPass, draft_pass, whole_pass
from dsv3calc.accounting.times.fold import Fold, band_lines
from dsv3calc.formulas import serving_times
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from dsv3calc.accounting.times.setting import Setting

BATCH, NEW = "workload.batch", "workload.sequence"
"""Places of the sequences of a pass, and of the new tokens of each."""


class Speculation(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Tokens that MTP modules draft for a step, and the chance that one is accepted."""

    draft_tokens: Any
    acceptance: Any


class DecodeLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``serve.tpot.*`` [s], the steps that they follow from, and the rates [tokens/s].

    ``headline`` is the estimate of the time per output token, or its floor without a set-up; the
    rates follow from it. ``band`` and ``overlapped`` are left out where there is none.
    """

    steps: dict[str, Line]
    tokens_per_step: Line
    tpot: dict[str, Line]
    batch: Line
    concurrency: Line
    per_gpu: Line
    per_user: Line
    whole: Line

    @property
    def headline(self) -> Line:
        """The time per output token that the rates follow from."""
        return self.tpot.get("estimate", self.tpot["floor"])


class Step:
    """A decode step of a batch: one pass over it, after the passes that draft tokens for it."""

    def __init__(
        self, fold: Fold, prefix: str, put: dict[str, Line], speculation: Speculation | None
    ) -> None:
        self.prefix = prefix
        self.drafts: Line | None = None
        self.draft: ServedPass | None = None
        if speculation is not None:
            drafts = given("draft_tokens", speculation.draft_tokens, "1")
            self.drafts = drafts
            put = put | {NEW: total("serve.verified_tokens", (ONE, drafts), unit="tokens")}
            one = given("serve.drafted_tokens", 1, "tokens", "new in a pass of a draft")
            drafting = Fold(_changed(fold.setting, sequence=1, mtp="in"))
            self.draft = draft_pass(drafting, f"{prefix}draft.", put | {NEW: one})
        self.main = whole_pass(fold, prefix, put)

    def _sum(self, what: str, main: Line, draft: Line | None) -> Line:
        if draft is None or self.drafts is None:
            return main
        name = f"{self.prefix}{what}"
        drafted = combined(f"{name}.drafts", "product", (draft, self.drafts), unit="s")
        return total(f"{name}.with_drafts", (main, drafted), unit="s")

    def times(self) -> dict[str, Line]:
        """Give the bound, the floor and the estimate of the step."""
        return {
            what: self._sum(what, line, None if self.draft is None else self.draft.times[what])
            for what, line in self.main.times.items()
        }

    def kernels(self) -> Line:
        """Give the kernels of the step, one after the other."""
        return self._sum(
            "kernels", self.main.kernels, None if self.draft is None else self.draft.kernels
        )

    def exchanges(self) -> Line:
        """Give the exchanges of the step, one after the other."""
        return self._sum(
            "exchanges", self.main.exchanges, None if self.draft is None else self.draft.exchanges
        )


def _changed(setting: Setting, *, mtp: str | None = None, **workload: Any) -> Setting:
    """Return a setting with another workload."""
    conventions = setting.conventions
    if mtp is not None:
        conventions = msgspec.structs.replace(conventions, mtp=mtp)
    changed = msgspec.structs.replace(setting.workload, **workload)
    return msgspec.structs.replace(setting, workload=changed, conventions=conventions)


def decode_lines(
    fold: Fold, speculation: Speculation | None = None, *, halves: bool = True
) -> DecodeLines:
    """Give the time per output token of a batch in steady state, and the rates.

    ``fold`` is that of the pass that verifies: one new token of each sequence, and the drafted
    ones. ``halves`` tells that the batch can be halved: it has two sequences.
    """
    setting = fold.setting
    step = Step(fold, "serve.decode.", {}, speculation)
    seconds = step.times()
    seconds["serial"] = total("serve.decode.serial", (step.kernels(), step.exchanges()), unit="s")
    sent = step.main.exchanges.rule != "given"
    if halves and sent:
        seconds["overlapped"] = _overlapped(setting, speculation)
        if fold.software is not None and fold.software.times.overlap.two_batch:
            seconds["estimate"] = seconds["overlapped"]
    steps = {what: total(f"serve.step.{what}", (line,), unit="s") for what, line in seconds.items()}
    gained = _gained(speculation)
    tpot = {
        what: combined(f"serve.tpot.{what}", "ratio", (line, gained), unit="s")
        if speculation is not None
        else total(f"serve.tpot.{what}", (line,), unit="s")
        for what, line in steps.items()
    }
    tpot |= band_lines("serve.tpot", fold, tpot.get("estimate"))
    headline = tpot.get("estimate", tpot["floor"])
    batch = field(("workload", setting.workload), "batch", "1")
    layout = setting.layout
    replica = combined("serve.replica_rate", "ratio", (batch, headline), unit="tokens/s")
    gpus = combined("serve.gpus_of_a_replica", "product", (fold.share.tp, fold.share.cp))
    words = f"by the {'estimate' if 'estimate' in tpot else 'floor'}"
    dp = degree(layout, "dp")
    return DecodeLines(
        steps=steps,
        tokens_per_step=gained,
        tpot=tpot,
        batch=total("serve.batch", (batch,), convention="sequences of one attention replica"),
        concurrency=combined("serve.concurrency", "product", (batch, dp), unit="1"),
        per_gpu=combined(
            "serve.tokens_per_second_per_gpu.decode",
            "ratio",
            (replica, gpus),
            unit="tokens/s",
            convention=words,
        ),
        per_user=combined(
            "serve.tokens_per_second_per_user",
            "ratio",
            (ONE, headline),
            unit="tokens/s",
            convention=words,
        ),
        whole=combined(
            "serve.tokens_per_second",
            "product",
            (replica, dp),
            unit="tokens/s",
            convention=words,
        ),
    )


def _gained(speculation: Speculation | None) -> Line:
    if speculation is None:
        return total("serve.tokens_per_step", (ONE,), unit="1")
    return computed(
        "serve.tokens_per_step",
        serving_times.accepted_tokens,
        acceptance=given("acceptance", speculation.acceptance, "ratio"),
        draft_tokens=given("draft_tokens", speculation.draft_tokens, "1"),
    )


def _overlapped(setting: Setting, speculation: Speculation | None) -> Line:
    """Give a step whose half batches take turns: the longer of computing and sending, twice."""
    batch = setting.workload.batch
    half = computed("serve.half.batch", serving_times.larger_half, batch=given(BATCH, batch, "1"))
    fold = Fold(_changed(setting, batch=half.value))
    step = Step(fold, "serve.half.", {BATCH: half}, speculation)
    return computed(
        "serve.decode.overlapped",
        serving_times.two_batch_time,
        half_kernel_seconds=step.kernels(),
        half_exchange_seconds=step.exchanges(),
    )
