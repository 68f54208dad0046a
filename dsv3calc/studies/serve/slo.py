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
from dsv3calc.reading.diagnostics import did_you_mean, quote
from dsv3calc.schema.fields import LARGEST_COUNT
from dsv3calc.studies.lines.accepted import first_where
from dsv3calc.studies.lines.condition import Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.studies.serve.server import Held, Server

TIMES = {
    "tpot": ("serve.aggregated.tpot", "serve.tpot.estimate", "serve.tpot.floor"),
    "ttft": ("serve.ttft",),
}
"""What can be limited -> the line that is meant: the first that the answer has."""

_BATCHES = ("batch", "concurrency")
_EXAMPLE = "--slo 'tpot<=50ms'"


class Objective:
    """One limit on a time of a server; errors name the option that ``asked`` for the time.

    Raises
    ------
    UsageError
        If the text is no limit on a time that is known.
    """

    def __init__(self, text: str, asked: str = "") -> None:
        self.condition = Condition(text, "--slo ", _EXAMPLE)
        self.text = self.condition.text
        self.name = self.condition.name
        self.asked = asked or f"--slo {quote(text)}"
        if self.name not in TIMES:
            raise UsageError(
                f"--slo {quote(text)}: choose one of {', '.join(TIMES)}",
                did_you_mean(self.name, TIMES, _EXAMPLE),
            )
        self.condition.read("s")
        if not self.condition.above(float("inf")) or self.condition.below(0):
            raise UsageError(f"--slo {quote(text)}: expected an upper limit", _EXAMPLE)

    def line(self, lines: Mapping[str, Line]) -> Line:
        """Return the time that is limited, of the lines of a server.

        Raises
        ------
        UsageError
            If it is not known.
        """
        for name in TIMES[self.name]:
            if name in lines:
                return lines[name]
        raise UsageError(
            f"{self.asked}: the time to the first token is not known",
            "it needs --setup, and the time of the host: --set setup.time.first_token=50ms",
        )

    def met(self, lines: Mapping[str, Line]) -> bool:
        """Tell whether the lines of a server meet it."""
        return self.condition.holds(self.line(lines).value)

    def share(self, lines: Mapping[str, Line]) -> float:
        """Give the share of the limit that a time has."""
        return float(self.line(lines).value) / (self.condition.high or 1)


class Found(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The largest batch that meets all limits, the next one, and what it misses."""

    batch: int
    beyond: Mapping[str, Line] | None = None
    missed: tuple[Objective, ...] = ()

    @property
    def limited_by(self) -> str:
        """What keeps the batch from being larger."""
        if self.beyond is None:
            return "nothing"
        return "memory" if not self.missed else ", ".join(each.name for each in self.missed)

    def words(self, server: Server) -> str:
        """Say why the batch is no larger."""
        if self.beyond is None:
            return f"every batch up to {self.batch:,} meets it"
        begin = f"batch {self.batch:,} is the largest: at {self.batch + 1:,}"
        if not self.missed:
            return f"{begin} the cache is over what memory holds on {server.inputs.hardware.name}"
        return f"{begin} {'; '.join(_told(each, self.beyond) for each in self.missed)}"


def _told(objective: Objective, lines: Mapping[str, Line]) -> str:
    line = objective.line(lines)
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
    least = server.held(server.least)
    times = server.times(server.least)
    if not least.fits:
        raise _does_not_fit(server, least)
    if not all(each.met(times) for each in objectives):
        raise _none(server, objectives, times)
    held = _that_memory_holds(server, LARGEST_COUNT if least.most is None else least.most)

    batch = _that_meets(server, objectives, held)
    if batch == LARGEST_COUNT:
        return Found(batch=batch)
    beyond = server.times(batch + 1)
    lost = tuple(each for each in objectives if not each.met(beyond))
    return Found(batch=batch, beyond=beyond, missed=lost if batch < held else ())


def _that_meets(server: Server, objectives: Sequence[Objective], most: int) -> int:
    """Return the largest batch up to ``most`` that meets every limit, as the smallest one does.

    Times are nearly linear in the batch: the search begins where a line through both ends meets the
    limit, goes on in steps that double, and bisects what is left.
    """

    def met(batch: int) -> bool:
        lines = server.times(batch)
        return all(each.met(lines) for each in objectives)

    low, high = server.least, most
    if low == high or met(high):
        return high
    slow = max(objectives, key=lambda each: each.share(server.times(high)))
    ends = [slow.share(server.times(each)) for each in (low, high)]
    at = low + int((1 - ends[0]) / (ends[1] - ends[0]) * (high - low)) if ends[1] > ends[0] else low
    step, turns = 1, set()
    while high - low > 1:
        at = min(max(at, low + 1), high - 1)
        good = met(at)
        low, high = (at, high) if good else (low, at)
        turns.add(good)
        at = (low + high) // 2 if len(turns) > 1 else at + (step if good else -step)
        step *= 2
    return low


def _that_memory_holds(server: Server, most: int) -> int:
    """Return the largest batch that memory holds: buffers grow with the batch too."""
    if server.held(most).fits:
        return most
    first = first_where(lambda batch: not server.held(batch).fits, server.least, most)
    return most if first is None else first - 1


def batch_line(found: Found, objectives: Sequence[Objective], lines: Mapping[str, Line]) -> Line:
    """Give the batch that was found as a line, of its times and the limits."""
    limits = [
        given(f"slo.{number}.{each.name}", each.condition.high, "s", each.text)
        for number, each in enumerate(objectives)
    ]
    return Line(
        "serve.slo.batch",
        found.batch,
        "1",
        "search",
        convention="the largest that memory holds and that meets the limits",
        parts=(*(each.line(lines) for each in objectives), *limits),
    )


# --- where there is none


def _sequences(server: Server) -> str:
    return "one sequence" if server.least == 1 else f"{server.least:,} sequences"


def _none(server: Server, objectives: Sequence[Objective], times: Mapping[str, Line]) -> Infeasible:
    """Return the error that the smallest batch is too slow, and what would have to give."""
    missed = [each for each in objectives if not each.met(times)]
    told = "; ".join(_told(each, times) for each in missed)
    hints = [hint for each in missed for hint in _gives(server, each, times)]
    text = f"no batch meets it on {server.name}: at {_sequences(server)} {told}"
    return Infeasible(text, "; ".join(hints))


def _does_not_fit(server: Server, held: Held) -> Infeasible:
    """Return the error that memory does not hold the smallest batch, and what it holds."""
    verb, they = ("does", "it takes") if server.least == 1 else ("do", "they take")
    taken = format_quantity(held.lines["serve.held"].value, "B")
    longest = held.answer.columns[0].ledger.named().get("serving.longest_context")
    hint = "more GPUs (--tp, --ep), a narrower --precision or --kv-dtype, or another --hardware"
    if longest is not None and longest.value > 0:
        hint = f"the longest context that fits: --context {longest.value}"
    return Infeasible(
        f"{_sequences(server)} of {server.inputs.context:,} tokens {verb} not fit: with the "
        f"weights {they} {taken} of a GPU ({server.name})",
        hint,
    )


def _gives(server: Server, objective: Objective, times: Mapping[str, Line]) -> list[str]:
    """Say what would have to give: the limit, or the tokens that the time grows with."""
    value = objective.line(times).value
    nearest = format_quantity(_upwards(value), "s").replace(" ", "")
    found = [f"the nearest that is met is {objective.name}<={nearest}"]
    query, name = server.query, "past" if objective.name == "tpot" else "prompt_tokens"
    present = server.inputs.context if name == "past" else server.requests.prompt

    def missed(tokens: int) -> bool:
        changed = msgspec.structs.replace(query, **{name: tokens})
        return not objective.met(server.asked(changed).times(server.least))

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
    return float(math.ceil(value * 10**places) / 10**places)


def _most(missed: Callable[[int], bool], present: int) -> int:
    """Return the most tokens below the present ones that do not miss; 0 where there are none."""
    if present == 1 or missed(1):
        return 0
    first = first_where(missed, 1, present)
    return present if first is None else first - 1
