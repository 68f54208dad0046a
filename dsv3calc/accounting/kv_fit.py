"""What fits in given bytes: sequences of a length, and how long those of a batch may be."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.kv_cache import MOST_TOKENS, bytes_line, cached_views
from dsv3calc.formulas import kv_cache
from dsv3calc.ledger.line import Line, computed, given
from dsv3calc.ledger.named_lines import NamedLines

if TYPE_CHECKING:
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat
    from dsv3calc.schema.workload import Conventions


class FitLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``kv_cache.fit.*``: ``sequences`` of the tokens asked for, ``tokens`` of each sequence.

    ``tokens`` is None where a longer sequence takes no more bytes in the end.
    """

    sequences: Line
    tokens: Line | None


def fit_lines(
    model: Model,
    kv_format: KVFormat,
    conventions: Conventions,
    *,
    available: int,
    batch: int,
    tokens: int,
    page_size: int | None = None,
    state_interval: int | None = None,
) -> FitLines:
    """Tell how many sequences of ``tokens`` fit in given bytes, and how long ``batch`` may be."""
    views = cached_views(model, conventions)
    one = given("one", 1, "1")
    room = given("available", available, "B")

    def held(name: str, length: int, count: Line) -> Line:
        length_line = given("workload.tokens", length, "tokens")
        return bytes_line(
            f"kv_cache.fit.{name}",
            views,
            count,
            length_line,
            kv_format,
            conventions,
            page_size,
            state_interval,
        )

    sequences = computed(
        "kv_cache.fit.sequences",
        kv_cache.sequences_that_fit,
        available=room,
        sequence_bytes=held("bytes_per_sequence", tokens, one),
    )
    batch_line = given("workload.batch", batch, "1")
    if held("largest", MOST_TOKENS, batch_line).value <= available:
        return FitLines(sequences=sequences, tokens=None)
    low, high = 0, MOST_TOKENS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high)
            if held("tried", middle, batch_line).value <= available
            else (low, middle)
        )
    longest = Line(
        "kv_cache.fit.tokens",
        low,
        "tokens",
        "search",
        convention="the most tokens of each sequence whose cache is at most the bytes given",
        parts=(held("bytes", low, batch_line), held("bytes_one_more", high, batch_line), room),
    )
    return FitLines(sequences=sequences, tokens=longest)
