"""Lines that are a maximum over pipeline ranks, composed for other ranks than the query has.

A ledger lists the ranks of one pp. With another pp there are other ranks; the lines of one rank,
with its number replaced, compute any of them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory.worst_rank import candidate_ranks
from dsv3calc.ledger.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.lines.open_line import OpenLine
    from dsv3calc.studies.lines.quantity import Quantity
    from dsv3calc.symbolic.from_ledger import Composer


def ranks_of(line: Line) -> list[str] | None:
    """Return what a line is of each pipeline rank, where it is a maximum over them."""
    if line.rule not in ("maximum", "at_largest") or not line.parts:
        return None
    if any(part.tags.rank is None for part in line.parts):
        return None
    return [part.tags.quantity for part in line.parts]


def lines_over_ranks(line: Line) -> list[Line]:
    """Return the lines under a line, itself included, that are a maximum over ranks."""
    return [each for each in _below(line) if ranks_of(each) is not None]


def _below(line: Line) -> Iterator[Line]:
    """Yield the distinct lines under a line, each after those that it depends on."""
    seen: set[int] = set()

    def visit(each: Line) -> Iterator[Line]:
        if id(each) in seen:
            return
        seen.add(id(each))
        if ranks_of(each) is None:
            for part in each.parts:
                yield from visit(part)
            for _, value, _ in each.arguments:
                if hasattr(value, "rule"):
                    yield from visit(value)
        yield each

    return visit(line)


def templates(line: Line) -> list[Line]:
    """Return the lines of one rank that represent all: its total, and what is asked of it."""
    if line.rule == "maximum":
        return [line.parts[0]]
    return [line.parts[0], line.parts[len(line.parts) // 2]]


def candidates_at(traced: OpenLine, pp: Any, depth: Any = None) -> list[Any]:
    """Return the pipeline ranks among which one is the fullest, of another pp or a symbol.

    Raises
    ------
    UsageError
        If all ranks are needed, and their number is a symbol.
    """
    assert traced.layout is not None  # noqa: S101 - pp is a number of it
    layout = msgspec.structs.replace(traced.layout, pp=pp)
    model = traced.model
    if depth is not None:
        model = msgspec.structs.replace(model, num_hidden_layers=depth)
    mtp = getattr(traced.query, "with_mtp", False) and model.mtp is not None
    return [rank.value for rank in candidate_ranks(model, layout, mtp=mtp)]


def over_candidates(composer_of: Callable[[Any], Composer], candidates: Sequence[Any]) -> Composer:
    """Return what composes maxima over ranks as maxima over candidates.

    Parameters
    ----------
    composer_of
        Returns what composes the lines of one rank; of None, those of no rank.
    candidates
        Ranks, each a term or a number.
    """
    by_rank = [composer_of(candidate) for candidate in candidates]

    def over_ranks(line: Line) -> Any:
        if ranks_of(line) is None:
            return None
        inputs = [composer.of(each) for each in templates(line) for composer in by_rank]
        return RULES[line.rule].value(inputs)

    found = composer_of(None)
    found.instead = over_ranks
    return found


def at_value(traced: OpenLine, quantity: Quantity, value: Any) -> Any:
    """Compute a line where one number is another, all others held, dp too.

    Where it is pp, maxima over ranks are taken over those of the other pp.
    """
    named = dict.fromkeys(quantity.places, value)
    if quantity.name != "pp":
        return traced.composer_of(named).of(traced.line)
    composer = over_candidates(
        lambda rank: traced.composer_of(named, rank), candidates_at(traced, value)
    )
    return composer.of(traced.line)
