"""Speculation: tokens that are drafted and verified together, in FLOPs and in bytes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.flops import flops_lines
from dsv3calc.accounting.kv_cache import bytes_line, cached_views
from dsv3calc.accounting.state import state_lines
from dsv3calc.formulas import serving_times
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat
    from dsv3calc.schema.workload import Conventions, Workload


class Speculation(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Tokens that are drafted for a step, and the chance that one is accepted, where it is given.

    ``draft`` is the model that drafts, None for the MTP modules of the model itself.
    """

    draft_tokens: Any
    acceptance: Any = None
    draft: Model | None = None


def tokens_per_step(name: str, speculation: Speculation | None) -> Line:
    """Give the tokens of a sequence that a step yields: one, and the drafted ones accepted."""
    if speculation is None:
        return total(name, (ONE,), unit="1")
    return computed(
        name,
        serving_times.accepted_tokens,
        acceptance=given("acceptance", speculation.acceptance, "ratio"),
        draft_tokens=given("draft_tokens", speculation.draft_tokens, "1"),
    )


class StepLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``flops.{drafts,step}`` [FLOP] of a decode step beside its verification.

    ``tokens`` is ``flops.tokens_per_step`` [1], ``per_token`` is ``flops.per_output_token``
    [FLOP/token]: None where no acceptance is given.
    """

    drafts: Line
    step: Line
    tokens: Line | None
    per_token: Line | None


def step_lines(
    verified: Line,
    model: Model,
    workload: Workload,
    conventions: Conventions,
    speculation: Speculation,
) -> StepLines:
    """Count the FLOPs of drafting, beside those ``verified`` [FLOP] of the drafted tokens."""
    drafting = msgspec.structs.replace(workload, sequence=speculation.draft_tokens)
    if speculation.draft is not None:
        passes = flops_lines(speculation.draft, drafting, conventions, "flops.draft_passes").total
        words = f"{speculation.draft_tokens} passes of {speculation.draft.name}"
    else:
        counted = msgspec.structs.replace(conventions, mtp="in")
        every = flops_lines(model, drafting, counted, "flops.draft_passes").total
        mtp = architecture_of(model).mtp
        assert mtp is not None  # noqa: S101 - the study asked
        own = next(line for line in every.parts if line.tags.component == "mtp")
        passes = combined("flops.draft_passes.one_module", "ratio", (own, mtp.layers), unit="FLOP")
        words = f"{speculation.draft_tokens} passes of an MTP module"
    drafts = total("flops.drafts", (passes,), unit="FLOP", convention=words)
    step = total("flops.step", (verified, drafts), unit="FLOP", convention="drafts, verification")
    if speculation.acceptance is None:
        return StepLines(drafts=drafts, step=step, tokens=None, per_token=None)
    tokens = tokens_per_step("flops.tokens_per_step", speculation)
    batch = field(("workload", workload), "batch", "1")
    gained = combined("flops.output_tokens", "product", (tokens, batch), unit="tokens")
    each = combined("flops.per_output_token", "ratio", (step, gained), unit="FLOP/token")
    return StepLines(drafts=drafts, step=step, tokens=tokens, per_token=each)


class DraftCacheLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``kv_cache.step.{bytes,verified,state_copies,drafts}`` [B] of a batch.

    ``verified`` is the model's cache and state with the drafted tokens in it; ``state_copies`` are
    the states to which a sequence goes back where a drafted token is refused.
    """

    verified: Line
    state_copies: Line
    drafts: Line
    bytes: Line


def draft_cache_lines(
    model: Model,
    kv_format: KVFormat,
    conventions: Conventions,
    speculation: Speculation,
    *,
    batch: int,
    tokens: int,
    page_size: int | None = None,
) -> DraftCacheLines:
    """Count what a batch holds while drafted tokens are verified."""
    count = given("workload.batch", batch, "1")
    drafted = given("draft_tokens", speculation.draft_tokens, "1")
    cached = given("workload.tokens", tokens, "tokens")
    length = total("kv_cache.step.tokens", (cached, drafted), unit="tokens")
    views = cached_views(model, conventions)
    if speculation.draft is not None:
        drafting = cached_views(speculation.draft, conventions)
    else:
        mtp = architecture_of(model).mtp
        drafting = [] if mtp is None else [mtp]
    name = "kv_cache.step"
    held = [
        bytes_line(f"{name}.{which}", each, count, length, kv_format, conventions, page_size, None)
        for which, each in (("verified", views), ("drafts", drafting))
    ]
    states = combined(f"{name}.states", "product", (count, drafted), unit="1")
    copies = total(
        f"{name}.state_copies",
        state_lines(f"{name}.state_copies", views, states, conventions),
        unit="B",
        convention="one of each drafted token",
    )
    whole = total(f"{name}.bytes", (held[0], copies, held[1]), unit="B")
    return DraftCacheLines(verified=held[0], state_copies=copies, drafts=held[1], bytes=whole)
