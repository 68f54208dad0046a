"""Why a search has no result: what is nearest, or what refused all layouts and which pin did."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from shlex import quote as quote_word
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.errors import Infeasible
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.studies.search.conditions import in_quotes
from dsv3calc.studies.search.request import axis_of, parts_of
from dsv3calc.studies.search.rules import SAME, problems_of
from dsv3calc.studies.search.run import WHERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dsv3calc.queries.search import SearchQuery
    from dsv3calc.studies.search.conditions import Condition
    from dsv3calc.studies.search.run import Search
    from dsv3calc.studies.search.why import Wanted

OPTIONS = {"results": "--where", "slo": "--slo"}
"""Rule of a condition of results -> its option."""

_LARGEST = 10**7
"""Layouts of a space that is looked at once more without a pin."""

_MOST_RULES = 3


def infeasible(wanted: Wanted, gpus: Sequence[int]) -> Infeasible:
    """Say why no layout is left: the rule that left none, or the closest misses."""
    search = wanted.last
    assert search is not None  # noqa: S101 - it has been run
    refusals, device = search.refusals, wanted.hardware.name
    words = ("" if len(gpus) == 1 else "up to ") + f"{gpus[-1]:,} GPU{'s' * (gpus[-1] > 1)}"
    empty = next((name for name, values in search.axes.items() if not values), None)
    if empty is not None:
        return Infeasible(f"{words}: the axis {empty} has no candidates", f"--pin {empty}=1")
    if refusals.unwanted:
        number = refusals.unwanted.total()
        asked_for = _told(each for each in search.of_results if refusals.unwanted[each.rule])
        nearest = "; ".join(
            f"nearest to {limit}: {format_quantity(value, 's')} with {wanted.told(axes)}"
            for limit, (value, axes) in refusals.nearest.items()
        )
        return Infeasible(
            f"{words}: {_layouts(number)} {'fits' if number == 1 else 'fit'}, and none satisfies "
            f"{asked_for}",
            nearest or "leave it out to see what the best layouts reach",
        )
    if refusals.over:
        misses = "; ".join(
            f"{wanted.told(axes)}: {format_quantity(round(excess), 'B')} too much"
            for excess, axes in refusals.misses
        )
        return Infeasible(
            f"none of {_layouts(refusals.counted)} of {wanted.model.name} on {words} fits on "
            f"{device}",
            f"closest: {misses}",
        )
    return Infeasible(
        f"{words}: no layout is left of {search.size:,}; refused: "
        + "; ".join(_by_rule(wanted, search)),
        "; ".join([*_released(wanted, gpus)] or _example(wanted, search))
        or "change the number of GPUs, or leave out conditions",
    )


def _by_rule(wanted: Wanted, search: Search) -> Iterator[str]:
    """Yield conditions, and the rules that refused most with their axes, each with how many."""
    counts = dict(search.refusals.by_rule)
    number = counts.pop(WHERE, 0)
    if number:
        told = _told(each for each in wanted.conditions if each not in search.of_results)
        yield f"{told}: {number:,}"
    most = sorted(counts.items(), key=lambda each: -each[1])[:_MOST_RULES]
    for name, number in most:
        if number:
            needs = search.needs.get(name, ())
            axes = f" (axes {', '.join(needs)})" if needs else ""
            yield f"{search.words[name]}{axes}: {number:,}"


def _released(wanted: Wanted, gpus: Sequence[int]) -> Iterator[str]:
    """Yield the pins and conditions of which each alone leaves no layout."""
    if wanted.last is None or wanted.last.size > _LARGEST:
        return
    for shown, query in _with_less(wanted.query):
        search = type(wanted)(query).search(gpus, most=1)
        if search.size <= _LARGEST and search.has_candidates:
            yield f"without {shown} there are layouts"


def _with_less(query: SearchQuery) -> Iterator[tuple[str, SearchQuery]]:
    """Yield each pin and each condition, with the query that lacks it."""
    parts = parts_of(query.pin)
    for axis in dict.fromkeys(map(axis_of, parts)):
        pin = tuple(part for part in parts if axis_of(part) != axis)
        first = next(part for part in parts if axis_of(part) == axis)
        yield f"--pin {quote_word(first)}", msgspec.structs.replace(query, pin=pin)
    for text in query.where:
        where = tuple(each for each in query.where if each != text)
        yield f"--where {in_quotes(text)}", msgspec.structs.replace(query, where=where)


def _example(wanted: Wanted, search: Search) -> Iterator[str]:
    """Yield what the last rule that refused a layout says against it: it passed those before."""
    for rule in reversed(wanted.rules()):
        axes = search.examples.get(rule.name, {})
        if rule.name != SAME and axes.keys() >= {*rule.needs}:
            for what, why in problems_of(rule, wanted.base, axes):
                yield f"for example, {what} ({why})"
                return


def _layouts(number: int) -> str:
    return "1 layout" if number == 1 else f"{number:,} layouts"


def _told(conditions: Iterable[Condition]) -> str:
    """Return conditions as they are given on the command line."""
    return " and ".join(each.asked for each in conditions)
