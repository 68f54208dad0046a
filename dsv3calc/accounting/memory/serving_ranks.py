"""Memory of every pipeline rank of a server, and the rank whose pool is spent first."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from dsv3calc.ledger.line import Line, combined, given, total
from dsv3calc.ledger.named_lines import NamedLines

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.accounting.memory.serving import Server

_LONGEST = 2**50
"""Tokens at which the search for the longest context ends: the cache does not grow."""


class ServingLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``serving.*`` of the pipeline rank whose pool is spent first, and of every rank.

    ``tightest`` are those of :meth:`Server.rank` under their own names, ``ranks`` the
    ``serving.rank.N.*``. ``longest_context`` [tokens] is None where a longer one takes no more.
    """

    rank: Line
    tightest: dict[str, Line]
    budget: Line
    ranks: tuple[Line, ...]
    free: Line
    longest_context: Line | None
    loadable: Line


def serving_lines(server: Server, pp: int) -> ServingLines:
    """Give the memory of a serving layout, of the pipeline rank whose pool is spent first."""
    names = [f"serving.rank.{number}" for number in range(pp)]
    numbers = [given(f"{name}.number", rank, "1") for rank, name in enumerate(names)]
    ranks = [server.rank(name, number) for name, number in zip(names, numbers, strict=True)]
    tightest = min(
        (rank for rank in range(pp) if "max_sequences" in ranks[rank]),
        key=lambda rank: [
            ranks[rank][what].value if what in ranks[rank] else math.inf
            for what in ("max_sequences", "kv_tokens")
        ],
    )
    held, budget = ranks[tightest], server.pool.budget()
    return ServingLines(
        rank=total("serving.rank", [numbers[tightest]], convention="its pool fills up first"),
        tightest={what: total(f"serving.{what}", [line]) for what, line in held.items()},
        budget=budget,
        ranks=tuple(
            rank[what]
            for rank in ranks
            for what in ("weights", "buffers", "kv_pool", "kv_tokens", "max_sequences", "total")
            if what in rank
        ),
        free=combined("serving.free", "difference", [budget, held["total"]], unit="B"),
        longest_context=_longest_context(server, names[tightest], numbers[tightest], held),
        loadable=server.loadable(),
    )


def _longest_context(server: Server, name: str, number: Line, rank: dict[str, Line]) -> Line | None:
    """Search for the longest context of the batch's sequences whose caches the pool holds."""
    layers = server.stages.layers(name, number)
    pool = rank["kv_pool"]

    def held(tokens: int) -> Line:
        return server.cache_of("serving.longest_context.bytes", layers, tokens)

    if held(_LONGEST).value <= pool.value:
        return None
    low = _last_within(lambda tokens: held(tokens).value, pool.value, _LONGEST)
    return Line(
        "serving.longest_context",
        low,
        "tokens",
        "search",
        convention="the most tokens of each sequence of the batch whose cache the pool holds",
        parts=(held(low), pool),
    )


def _last_within(rising: Callable[[int], Any], limit: Any, high: int) -> int:
    """Return the last number at which a rising function is within a limit; at ``high`` it is not.

    Caches grow in proportion to their tokens but for pages and windows. So steps that assume
    proportion take turns with those that halve what is left: a few suffice where 50 halve it.

    >>> _last_within(lambda number: 7 * number, 100, 1 << 50)
    14
    """
    low, at_low, at_high = 0, rising(0), rising(high)
    by_proportion = True
    while high - low > 1:
        step = (high - low) // 2
        if by_proportion and at_high > at_low:
            step = int((limit - at_low) * (high - low) // (at_high - at_low))
        middle = min(max(low + step, low + 1), high - 1)
        value = rising(middle)
        if value <= limit:
            low, at_low = middle, value
        else:
            high, at_high = middle, value
        by_proportion = not by_proportion
    return low
