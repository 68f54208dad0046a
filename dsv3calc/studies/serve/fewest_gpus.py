"""Answer ``serve --fewest-gpus``: the search over serving layouts, by the number of their GPUs."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.ledger.line import Ledger, Line
from dsv3calc.model.architecture import architecture_of, experts_of
from dsv3calc.numbers.divisors import divisors
from dsv3calc.queries.fields import flag_of
from dsv3calc.queries.search import SearchQuery
from dsv3calc.studies.answer import Column
from dsv3calc.studies.search.infeasible import infeasible
from dsv3calc.studies.search.serving import SAME, ServingSearch
from dsv3calc.studies.traffic.exchanges import asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.studies.answer import Answer

MOST_GPUS = 1024
"""GPUs that are tried at most."""

_FIRST = 8
_HELD = ("tp", "dp", "pp", "layer_split", "ep", "etp", "dcp", "redundant_experts", "batch")
_PASSED_ON = (*SAME, *_HELD, "slo", "pue", "fewest_gpus", "notes")


def answer_fewest(query: ServeQuery, answer_serve: Callable[[ServeQuery], Answer]) -> Answer:
    """Find the fewest GPUs that are enough, and answer about the fastest layout of so many.

    ``answer_serve`` answers about one layout.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    Infeasible
        If no layout of up to ``MOST_GPUS`` GPUs holds the sequences and meets the limits.
    """
    wanted = _searched(query)
    axes = _fewest(wanted)
    degrees = wanted.options(axes)
    limits = query.slo if query.concurrency is None and query.batch is None else ()
    answer = answer_serve(msgspec.structs.replace(query, fewest_gpus=False, slo=limits, **degrees))
    answer.query = {**asked(query), **answer.query, "slo": [*query.slo]}
    (column,) = answer.columns
    lines = [*_lines(query, axes, degrees), *column.ledger.lines]
    answer.columns = [Column(column.id, column.title, Ledger(column.ledger.title, lines))]
    answer.notes[:0] = _remarks(wanted, axes, limits)
    return answer


def _searched(query: ServeQuery) -> ServingSearch:
    """Return the search; its errors about pins name the options in their place.

    Raises
    ------
    UsageError
        If it refuses the query.
    """
    try:
        return ServingSearch(_as_search(query))
    except UsageError as error:
        told = _as_options(error.message)
        raise UsageError(told, error.hint) from None


def _as_search(query: ServeQuery) -> SearchQuery:
    """Return the search for a layout; degrees that are given are pins.

    Raises
    ------
    UsageError
        If an option is given that the search knows nothing of.
    """
    plain = type(query)(model=query.model, hardware=query.hardware)
    others = [
        flag_of(query, name)
        for name in query.__struct_fields__
        if name not in _PASSED_ON and getattr(query, name) != getattr(plain, name)
    ]
    if others:
        raise UsageError(
            f"--fewest-gpus with {', '.join(others)}: the search does not know it",
            "leave it out, and give it with the layout that is found",
        )
    same = {name: getattr(query, name) for name in SAME}
    pins = [f"{name}={getattr(query, name)}" for name in _HELD if getattr(query, name) is not None]
    return SearchQuery(phase="serve", pin=tuple(pins), slo=query.slo, **same)


def _fewest(wanted: ServingSearch) -> dict[str, Any]:
    """Return the axes of the layout of the fewest GPUs that fits and meets the limits.

    Of several it is the one with the most tokens/s.

    Raises
    ------
    Infeasible
        If there is none.
    """
    _narrow(wanted)
    for gpus in _ranges():
        wanted.last = wanted.search_fewest(gpus, after=wanted.last)
        if met := wanted.last.run():
            return met[0].axes
    raise _too_few(wanted, MOST_GPUS)


def _narrow(wanted: ServingSearch) -> None:
    """Leave out degrees that no number of GPUs makes right, and batches but the smallest."""
    model = wanted.model.value
    heads = {each for view in architecture_of(model).groups for each in view.heads} or {1}
    experts = {moe.n_routed_experts for moe in experts_of(model)}
    wanted.pins.setdefault("tp", sorted(set.intersection(*(set(divisors(each)) for each in heads))))
    if experts and not wanted.pins.get("redundant_experts", [0])[0]:
        common = set.intersection(*(set(divisors(each)) for each in experts))
        wanted.pins.setdefault("ep", sorted(common))
    wanted.pins.setdefault("dcp", [1])
    wanted.pins.setdefault("batch", [wanted.server.least])


def _ranges() -> Iterator[list[int]]:
    """Yield the numbers of GPUs, twice as many each time."""
    first, last = 1, _FIRST
    while first <= MOST_GPUS:
        yield [*range(first, last + 1)]
        first, last = last + 1, 2 * last


def _too_few(wanted: ServingSearch, most: int) -> Infeasible:
    """Say why no layout of up to so many GPUs will do, after the search for the fewest."""
    gpus = [*range(1, most + 1)]
    assert wanted.last is not None  # noqa: S101 - it has been run
    if wanted.last.refusals.counted:
        return infeasible(wanted, gpus)
    wanted.last = wanted.search_fewest(gpus, after=None)  # rules alone, which refuse all of them
    wanted.last.run()
    found = infeasible(wanted, gpus)
    return Infeasible(found.message, _as_options(found.hint))


def _as_options(text: str) -> str:
    """Name options in a text in place of the pins that a search has them as."""

    def option(pin: re.Match[str]) -> str:
        return f"--{pin[1].replace('_', '-')} "

    return re.sub(r"--pin (\w+)=?", option, text).strip()


def _lines(query: ServeQuery, axes: Mapping[str, Any], degrees: Mapping[str, Any]) -> list[Line]:
    """Name the layout found: ``serve.fewest_gpus`` [1], and its degrees."""
    words = "the fewest GPUs that hold the sequences and meet the limits"
    found = [Line("serve.fewest_gpus", axes["gpus"], "1", "search", convention=words)]
    for axis in degrees:
        if axis in ("redundant_experts", "layer_split") and getattr(query, axis) is not None:
            continue  # no degree, and not searched
        how = "searched" if getattr(query, axis) is None else "held"
        name = f"serve.fewest_gpus.{axis}"
        found.append(Line(name, axes[axis], "1", "search", convention=how))
    return found


def _remarks(wanted: ServingSearch, axes: Mapping[str, Any], limits: tuple[str, ...]) -> list[str]:
    """Say why fewer GPUs are not enough, and which command asks about the layout by itself.

    With ``limits`` the answer is that of the largest batch within them, not of the search's.
    """
    gpus = axes["gpus"]
    meeting = "".join(f" and meet {each.text}" for each in wanted.limits)
    most = f"of their layouts the most tokens/s has {wanted.told(axes)}"
    if limits:
        most += "; shown is its largest batch within the limits"
    found = [f"the fewest GPUs that hold the sequences{meeting}: {gpus:,}; {most}"]
    if gpus > 1:
        why = _too_few(wanted, gpus - 1)
        found.append(f"fewer GPUs: {why.message}; {why.hint}")
    return [*found, f"by itself: {wanted.command(axes, limits)}"]
