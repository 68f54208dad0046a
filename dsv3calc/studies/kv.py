"""Answer ``kv``: what the KV cache takes, and what fits in given bytes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.conventions import choose_conventions
from dsv3calc.accounting.kv_cache import fit_lines, kv_lines
from dsv3calc.ledger.line import Ledger
from dsv3calc.queries.base import KVQuery, as_dict
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.kv_formats import cite_kv_format
from dsv3calc.studies.preset_loader import (
    PresetLoader,
    check_kv_format,
    positive,
    warn_context,
    warn_inapplicable,
)

if TYPE_CHECKING:
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
    )
    batch = positive("--batch", query.batch, 1)
    tokens = positive("--context", query.tokens, DEFAULT_TOKENS)
    page_size = None
    if query.page_size is not None:
        page_size = positive("--page-size", query.page_size, 1)
    loader = PresetLoader(query)
    preset = loader.model(query.model)
    kv_format = loader.kv_format(query.kv_dtype, preset.value)
    loader.check_overrides()
    check_kv_format(preset.name, preset.value, kv_format, conventions)
    answer = Answer("kv", as_dict(query))
    answer.query |= {
        "batch": batch,
        "tokens": tokens,
        "kv_dtype": kv_format.name,
    }
    if page_size is not None:
        answer.query["page_size"] = page_size
    answer.cite(preset)
    answer.notes += query.notes
    cite_kv_format(answer, kv_format, [preset.value], conventions)
    warn_inapplicable(
        answer, preset.name, preset.value, mla=query.mla, with_mtp=query.with_mtp or None
    )
    lines = kv_lines(
        preset.value, kv_format.value, conventions, batch=batch, tokens=tokens, page_size=page_size
    ).lines
    longest = 0
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
        )
        lines += fit
        if fit.tokens is None:
            answer.warn(f"{preset.name}: every layer's cache is bounded: any number of tokens fits")
        else:
            longest = fit.tokens.value
            if longest == 0:
                answer.warn(
                    f"{preset.name}: not one token fits in --fit {available:,} B; a number without "
                    "a unit is in bytes, write 40GiB"
                )
    warn_context(answer, preset.name, preset.value, max(tokens, longest))
    answer.columns.append(
        Column(preset.name, preset.value.title, Ledger(preset.value.title, lines))
    )
    return answer
