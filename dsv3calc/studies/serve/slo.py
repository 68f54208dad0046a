"""The largest batch of a server that meets limits on its times, or what would have to give."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.ledger.line import Line, given
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.queries.fields import flag_of
from dsv3calc.reading.diagnostics import quote, suggest
from dsv3calc.schema.fields import LARGEST_COUNT
from dsv3calc.studies.lines.accepted import first_where
from dsv3calc.studies.lines.condition import Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.studies.serve.server import Served, Server

TIMES = {
    "tpot": ("serve.aggregated.tpot", "serve.tpot.estimate", "serve.tpot.floor"),
    "ttft": ("serve.ttft",),
}
"""What can be limited -> the line that is meant: the first that the answer has."""

_BATCHES = ("batch", "concurrency")
_EXAMPLE = "--slo 'tpot<=50ms'"


class Objective:
    """One limit on a time of a server.

    Raises
    ------
    UsageError
        If the text is no limit on a time that is known.
    """

    def __init__(self, text: str) -> None:
        self.condition = Condition(text)
        self.text = self.condition.text
        self.name = self.condition.name
        if self.name not in TIMES:
            close = suggest(self.name, TIMES)
            raise UsageError(
                f"--slo {quote(text)}: choose one of {', '.join(TIMES)}",
                f"did you mean '{close}'?" if close else _EXAMPLE,
            )
        self.condition.read("s")
        if not self.condition.above(float("inf")) or self.condition.below(0):
            raise UsageError(f"--slo {quote(text)}: expected an upper limit", _EXAMPLE)

    def line(self, served: Served) -> Line:
        """Return the time that is limited.

        Raises
        ------
        UsageError
            If it is not known.
        """
        for name in TIMES[self.name]:
            if name in served.lines:
                return served.lines[name]
        raise UsageError(
            f"--slo {quote(self.text)}: the time to the first token is not known",
            "it needs --setup, and the time of the host: --set setup.time.first_token=50ms",
        )

    def met(self, served: Served) -> bool:
        """Tell whether a batch meets it."""
        return self.condition.holds(self.line(served).value)


class Found(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The largest batch that meets all limits, the next one, and what it misses."""

    served: Served
    beyond: Served | None
    missed: tuple[Objective, ...]

    @property
    def limited_by(self) -> str:
        """What keeps the batch from being larger."""
        if self.beyond is None:
            return "nothing"
        return "memory" if not self.missed else ", ".join(each.name for each in self.missed)

    def words(self, server: Server) -> str:
        """Say why the batch is no larger."""
        batch = self.served.batch
        if self.beyond is None:
            return f"every batch up to {batch:,} meets it"
        begin = f"batch {batch:,} is the largest: at {self.beyond.batch:,}"
        if not self.missed:
            return f"{begin} the cache is over what memory holds on {server.inputs.hardware.name}"
        return f"{begin} {'; '.join(_told(each, self.beyond) for each in self.missed)}"


def _told(objective: Objective, served: Served) -> str:
    line = objective.line(served)
    return f"{objective.name} is {format_quantity(line.value, 's')}, not {objective.text}"


def objectives_of(query: ServeQuery) -> list[Objective]:
    """Return the limits of a query.

    Raises
    ------
    UsageError
        If one is wrong, or the query gives a batch too.
    """
    given_too = [flag_of(query, name) for name in _BATCHES if getattr(query, name) is not None]
    if given_too:
        raise UsageError(f"--slo finds the batch, and {given_too[0]} gives it", "leave one out")
    return [Objective(text) for text in query.slo]


def largest_batch(server: Server, objectives: Sequence[Objective]) -> Found:
    """Find the largest batch that memory holds and that meets every limit.

    Times and memory grow with the batch, so it is bisected, and exact.

    Raises
    ------
    Infeasible
        If there is none, with the nearest miss.
    """
    known: dict[int, Served] = {}

    def at(batch: int) -> Served:
        if batch not in known:
            known[batch] = server.at(batch)
        return known[batch]

    def missed(batch: int) -> bool:
        served = at(batch)
        return not served.fits or not all(each.met(served) for each in objectives)

    least = at(server.least)
    most = LARGEST_COUNT if least.most is None else max(least.most, server.least)
    if missed(server.least):
        raise _none(server, objectives, least)
    first = first_where(missed, server.least, most + 1)
    if first is None:
        return Found(served=at(most + 1), beyond=None, missed=())
    beyond = at(first)
    return Found(
        served=at(first - 1),
        beyond=beyond,
        missed=tuple(each for each in objectives if not each.met(beyond)),
    )


def batch_line(found: Found, objectives: Sequence[Objective]) -> list[Line]:
    """Give the limits, and the batch that was found as a line of its own."""
    limits = [
        given(f"slo.{number}.{each.name}", each.condition.high, "s", each.text)
        for number, each in enumerate(objectives)
    ]
    return [
        Line(
            "serve.slo.batch",
            found.served.batch,
            "1",
            "search",
            convention="the largest that memory holds and that meets the limits",
            parts=(*(each.line(found.served) for each in objectives), *limits),
        )
    ]


# --- where there is none


def _none(server: Server, objectives: Sequence[Objective], least: Served) -> Infeasible:
    """Return the error that the smallest batch is too much, and what would have to give."""
    sequences = "one sequence" if least.batch == 1 else f"{least.batch:,} sequences"
    if not least.fits:
        return Infeasible(
            f"{sequences} of {server.inputs.context:,} tokens {_do_not_fit(least)} ({server.name})",
            _what_fits(least),
        )
    missed = [each for each in objectives if not each.met(least)]
    told = "; ".join(_told(each, least) for each in missed)
    hints = [hint for each in missed for hint in _gives(server, each, least)]
    return Infeasible(
        f"no batch meets it on {server.name}: at {sequences} {told}", "; ".join(hints)
    )


def _do_not_fit(served: Served) -> str:
    verb, they = ("does", "it takes") if served.batch == 1 else ("do", "they take")
    held = format_quantity(served.lines["serve.held"].value, "B")
    return f"{verb} not fit: with the weights {they} {held} of a GPU"


def _what_fits(served: Served) -> str:
    named = served.held.columns[0].ledger.named()
    longest = named.get("serving.longest_context")
    if longest is not None and longest.value > 0:
        return f"the longest context that fits: --context {longest.value}"
    return "more GPUs (--tp, --ep), a narrower --precision or --kv-dtype, or another --hardware"


def _gives(server: Server, objective: Objective, least: Served) -> list[str]:
    """Say what would have to give: the limit, or the tokens that the time grows with."""
    value = objective.line(least).value
    nearest = format_quantity(_upwards(value), "s").replace(" ", "")
    found = [f"the nearest that is met is {objective.name}<={nearest}"]
    query, name = server.query, "past" if objective.name == "tpot" else "prompt_tokens"
    present = server.inputs.context if name == "past" else server.requests.prompt

    def missed(tokens: int) -> bool:
        changed = msgspec.structs.replace(query, **{name: tokens})
        return not objective.met(server.asked(changed).at(least.batch))

    tokens = _most(missed, present)
    if tokens:
        found.append(f"{objective.text} is met up to {flag_of(query, name)} {tokens}")
    else:
        found.append("fewer tokens do not help: more GPUs, a faster --hardware, narrower formats")
    return found


def _upwards(value: float) -> float:
    """Round up to the digits that are shown.

    >>> _upwards(0.0067631)
    0.006764
    """
    places = 3 - math.floor(math.log10(value))
    return math.ceil(value * 10**places) / 10**places


def _most(missed: Callable[[int], bool], present: int) -> int:
    """Return the most tokens below the present ones that do not miss; 0 where there are none."""
    if present == 1 or missed(1):
        return 0
    first = first_where(missed, 1, present)
    return present if first is None else first - 1
