"""Decoding in seconds: a step, the time per output token, and the tokens of a second."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.serving.passes import ServedPass, draft_pass, whole_pass
from dsv3calc.accounting.serving.stages import OVERLAPPED, StagedSteps, taking_turns
from dsv3calc.accounting.speculation import Speculation, tokens_per_step
from dsv3calc.accounting.times.fold import Fold, band_lines
from dsv3calc.formulas import served_batches, serving_times
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.model.architecture import experts_of
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from dsv3calc.accounting.host_experts import HostedLines
    from dsv3calc.accounting.times.setting import Setting
    from dsv3calc.schema.layout import Layout

BATCH, NEW = "workload.batch", "workload.sequence"
"""Places of the sequences of a pass, and of the new tokens of each."""


class DecodeLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``serve.tpot.*`` [s], the steps that they follow from, and the rates [tokens/s].

    ``headline`` is the estimate of the time per output token, or its floor without a set-up; the
    rates follow from it. ``band`` and ``overlapped`` are left out where there is none.
    """

    steps: dict[str, Line]
    tokens_per_step: Line
    tpot: dict[str, Line]
    host: dict[str, Line]
    batch: Line
    balancedness: Line | None
    concurrency: Line
    per_gpu: Line
    per_user: Line
    whole: Line

    @property
    def headline(self) -> Line:
        """The time per output token that the rates follow from."""
        return self.tpot.get("estimate", self.tpot["floor"])


class Step:
    """A decode step of a batch: one pass over it, after the draft passes tokens for it."""

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
    fold: Fold,
    speculation: Speculation | None = None,
    hosted: HostedLines | None = None,
    *,
    batch: Any = None,
    concurrency: Any = None,
    brief: bool = False,
    named: bool = True,
) -> DecodeLines:
    """Give the time per output token of a batch in steady state, and the rates.

    ``fold`` is that of the pass that verifies: one new token of each sequence, and the drafted
    ones; it has the part of the batch that a pass of :func:`pass_batch` has. ``concurrency`` are
    the sequences of the instance where the batch of a replica follows from them. ``brief`` leaves
    out the time of overlapped halves where no other line needs it. Lines that are not ``named``
    are for their values: they stand in no ledger, and share names with others. ``hosted`` are the
    times of routed experts that a host computes while the device waits.
    """
    setting = fold.setting
    layout = setting.layout
    whole = setting.workload.batch if batch is None else batch
    lines = _sequences(layout, whole, concurrency)
    of_replica, part = lines
    put = {} if part.rule == "given" or not named else {BATCH: part}
    prefix = "serve.decode." if named else ""
    step = Step(fold, prefix, put, speculation)
    seconds = step.times()
    seconds["serial"] = total("serve.decode.serial", (step.kernels(), step.exchanges()), unit="s")
    if hosted is not None:
        seconds = _with_host(seconds, hosted)
    passes = None
    if layout.pp > 1:
        passes = computed(
            "serve.stage_passes",
            served_batches.parts_in_use,
            batch=of_replica,
            batch_parts=degree(layout, "pp"),
        )
        staged = StagedSteps(fold, prefix, put, passes, part)
        seconds = {what: staged.step(what, line) for what, line in seconds.items()}
    if hosted is None and not _is_one(part.value) and step.main.exchanges.rule != "given":
        turns = fold.software is not None and fold.software.times.overlap.two_batch
        if turns or not brief:
            seconds["overlapped"] = _overlapped(setting, speculation, part, passes, named=named)
        if turns:
            seconds["estimate"] = seconds["overlapped"]
    steps = {what: total(f"serve.step.{what}", (line,), unit="s") for what, line in seconds.items()}
    gained = tokens_per_step("serve.tokens_per_step", speculation)
    tpot = {
        what: combined(f"serve.tpot.{what}", "ratio", (line, gained), unit="s")
        if speculation is not None
        else total(f"serve.tpot.{what}", (line,), unit="s")
        for what, line in steps.items()
    }
    tpot |= band_lines("serve.tpot", fold, tpot.get("estimate"))
    return DecodeLines(
        steps=steps,
        tokens_per_step=gained,
        tpot=tpot,
        batch=total("serve.batch", (of_replica,), convention="sequences of one attention replica"),
        balancedness=_balancedness(fold),
        host={} if hosted is None else {"bound": hosted.bound, "floor": hosted.floor},
        **_rates(layout, tpot, of_replica, concurrency),
    )


def _with_host(seconds: dict[str, Line], hosted: HostedLines) -> dict[str, Line]:
    """Add what the CPUs of a host take to the times of a step; the estimate is of the whole."""
    found = {
        what: total(
            f"serve.decode.{what}.with_host",
            (line, hosted.bound if what == "bound" else hosted.floor),
            unit="s",
        )
        for what, line in seconds.items()
    }
    return found if hosted.estimate is None else found | {"estimate": hosted.estimate}


def _is_one(value: Any) -> bool:
    """Tell whether a number is known to be 1: a batch of one has no halves."""
    return type(value) is int and value == 1


def pass_batch(layout: Layout, batch: Any) -> Any:
    """Return the sequences of one pass of a replica: its stages work on parts of the batch."""
    return batch if layout.pp == 1 else served_batches.fullest_part(batch, layout.pp)


def _sequences(layout: Layout, batch: Any, concurrency: Any) -> tuple[Line, Line]:
    """Give the sequences of a replica, and those of one pass of it."""
    of_replica = given(BATCH, batch, "1")
    if concurrency is not None:
        of_replica = computed(
            "serve.padded_batch",
            served_batches.fullest_part,
            convention="replicas are padded to the largest",
            batch=given("concurrency", concurrency, "1", "sequences of the instance"),
            batch_parts=degree(layout, "dp"),
        )
    if layout.pp == 1:
        return of_replica, of_replica
    part = computed(
        "serve.pass_batch",
        served_batches.fullest_part,
        batch=of_replica,
        batch_parts=degree(layout, "pp"),
    )
    return of_replica, part


def _balancedness(fold: Fold) -> Line | None:
    """Give the mean load of the GPUs' experts over that of the busiest; None without experts."""
    if not experts_of(fold.setting.model):
        return None
    parts = (ONE, fold.share.imbalance)
    return combined("serve.balancedness", "ratio", parts, unit="ratio")


def _rates(layout: Layout, tpot: dict[str, Line], batch: Line, concurrency: Any) -> dict[str, Line]:
    """Give the tokens of a second: of the instance, of a GPU of it, of a sequence."""
    by = "estimate" if "estimate" in tpot else "floor"
    headline, words = tpot[by], f"by the {by}"
    dp = degree(layout, "dp")
    axes = [degree(layout, axis) for axis in ("tp", "cp", "pp") if axis != "pp" or layout.pp > 1]
    gpus = combined("serve.gpus_of_a_replica", "product", axes)
    replica = combined("serve.replica_rate", "ratio", (batch, headline), unit="tokens/s")
    sequences = combined("serve.concurrency", "product", (batch, dp), unit="1")
    whole = combined(
        "serve.tokens_per_second", "product", (replica, dp), unit="tokens/s", convention=words
    )
    rate = (replica, gpus)
    if concurrency is not None:
        asked = given("concurrency", concurrency, "1", "sequences of the instance")
        sequences = total("serve.concurrency", (asked,), convention="without padding")
        whole = combined(
            "serve.tokens_per_second", "ratio", (sequences, headline), unit="tokens/s",
            convention=words,
        )  # fmt: skip
        rate = (whole, combined("serve.gpus", "product", (gpus, dp), unit="1"))
    return {
        "concurrency": sequences,
        "per_gpu": combined(
            "serve.tokens_per_second_per_gpu.decode",
            "ratio",
            rate,
            unit="tokens/s",
            convention=words,
        ),
        "per_user": combined(
            "serve.tokens_per_second_per_user",
            "ratio",
            (ONE, headline),
            unit="tokens/s",
            convention=words,
        ),
        "whole": whole,
    }


def _overlapped(
    setting: Setting,
    speculation: Speculation | None,
    batch: Line,
    passes: Line | None,
    *,
    named: bool,
) -> Line:
    """Give a step whose half batches take turns: the longer of computing and sending, twice.

    On pipeline stages ``passes`` parts of ``batch`` sequences go round, each in halves.
    """
    half = computed("serve.half.batch", serving_times.larger_half, batch=batch)
    fold = Fold(_changed(setting, batch=half.value))
    put, prefix = ({BATCH: half}, "serve.half.") if named else ({}, "")
    step = Step(fold, prefix, put, speculation)
    through = taking_turns("serve.decode.overlapped", step.kernels(), step.exchanges())
    if passes is None:
        return through
    return StagedSteps(fold, prefix, put, passes, batch).step(OVERLAPPED, through)
