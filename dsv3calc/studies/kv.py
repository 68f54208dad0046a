"""Answer ``kv``: what the KV cache takes, and what fits in given bytes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.conventions import choose_conventions
from dsv3calc.accounting.kv_cache import kv_lines
from dsv3calc.accounting.kv_fit import fit_lines
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger
from dsv3calc.queries.base import KVQuery, as_dict
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.checked import positive
from dsv3calc.studies.kv_formats import cite_kv_format
from dsv3calc.studies.preset_loader import (
    PresetLoader,
    beside_layers,
    check_kv_format,
    interval_of,
    warn_context,
    warn_inapplicable,
)
from dsv3calc.studies.speculation import speculation_of

if TYPE_CHECKING:
    from dsv3calc.accounting.kv_fit import FitLines
    from dsv3calc.schema.workload import Conventions

DEFAULT_TOKENS = 4096
MOST_BYTES = 2**62


def answer_kv(query: KVQuery) -> Answer:
    """Count the KV cache of a model.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    conventions: Conventions = choose_conventions(
        {"mla": query.mla, "mtp": "in" if query.with_mtp else None},
        convention=query.convention,
        library=query.library,
        command="kv",
    )
    batch = positive("--batch", query.batch, 1)
    tokens = positive("--context", query.tokens, DEFAULT_TOKENS)
    page_size = None
    if query.page_size is not None:
        page_size = positive("--page-size", query.page_size, 1)
    state_interval = interval_of(query.state_interval)
    loader = PresetLoader(query)
    preset = loader.model(query.model)
    draft = None if query.draft_model is None else loader.model(query.draft_model)
    kv_format = loader.kv_format(query.kv_dtype, preset.value)
    loader.check_overrides()
    for each in (preset, draft):
        if each is not None:
            check_kv_format(each.name, each.value, kv_format, conventions)
    speculation = speculation_of(preset, query.draft_tokens, None, draft)
    if speculation is not None and query.with_mtp:
        raise UsageError("--with-mtp beside --draft-tokens: caches of drafts are counted apart")
    answer = Answer("kv", as_dict(query))
    answer.query |= {
        "batch": batch,
        "tokens": tokens,
        "kv_dtype": kv_format.name,
    }
    if page_size is not None:
        answer.query["page_size"] = page_size
    if state_interval is not None:
        answer.query["state_interval"] = state_interval
    answer.cite(preset, unused=beside_layers(query.with_mtp or speculation is not None))
    if draft is not None:
        answer.cite(draft)
    answer.notes += query.notes
    cite_kv_format(answer, kv_format, [preset.value], conventions)
    warn_inapplicable(
        answer,
        preset.name,
        preset.value,
        mla=query.mla,
        with_mtp=query.with_mtp or None,
        state_interval=state_interval,
    )
    lines = kv_lines(
        preset.value,
        kv_format.value,
        conventions,
        batch=batch,
        tokens=tokens,
        page_size=page_size,
        state_interval=state_interval,
    ).lines
    longest = tokens
    if speculation is not None:
        from dsv3calc.accounting.speculation import draft_cache_lines

        lines += draft_cache_lines(
            preset.value,
            kv_format.value,
            conventions,
            speculation,
            batch=batch,
            tokens=tokens,
            page_size=page_size,
        ).lines
        longest += int(speculation.draft_tokens)
    if query.fit is not None:
        available = positive("--fit", query.fit, 0, most=MOST_BYTES)
        answer.query["fit"] = available
        fit = fit_lines(
            preset.value,
            kv_format.value,
            conventions,
            available=available,
            batch=batch,
            tokens=tokens,
            page_size=page_size,
            state_interval=state_interval,
        )
        lines += fit
        longest = max(longest, _longest_that_fits(fit, available, answer, preset.name))
    warn_context(answer, preset.name, preset.value, longest)
    answer.columns.append(
        Column(preset.name, preset.value.title, Ledger(preset.value.title, lines))
    )
    return answer


def _longest_that_fits(fit: FitLines, available: int, answer: Answer, name: str) -> int:
    """Return the longest context that fits, 0 where any does; warn where any or none does."""
    if fit.tokens is None:
        answer.warn(f"{name}: every layer's cache is bounded: any number of tokens fits")
        return 0
    longest: int = fit.tokens.value
    if longest == 0:
        answer.warn(
            f"{name}: not one token fits in --fit {available:,} B; a number without a unit is in "
            "bytes, write 40GiB"
        )
    return longest
