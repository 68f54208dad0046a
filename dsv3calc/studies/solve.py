"""Answer ``formula solve``: the integers at which a line keeps a bound.

Every value that is given was asked for plainly, and only values that the query accepts count. The
closed form tells where to look: over all values of a short list, or by bisection where it surely
goes one way.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from math import gcd
from typing import TYPE_CHECKING, Any

from dsv3calc import quantity as quantities
from dsv3calc.diagnostics import quote
from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.model.architecture import architecture_of
from dsv3calc.quantity import format_quantity
from dsv3calc.schema.fields import LARGEST_COUNT
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.derive import Derivation, check
from dsv3calc.studies.designs import LARGEST_WORKLOAD
from dsv3calc.studies.expectation import DIMENSIONS
from dsv3calc.studies.layouts import LARGEST_DEGREE
from dsv3calc.studies.traced import RANK, Quantity, Traced
from dsv3calc.term_analysis import DOWN, FLAT, direction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dsv3calc.studies.queries import Query

WANTS = ("smallest", "largest", "all")
MOST_QUERIES = 2000
"""Plain queries that are asked for one answer."""
MOST_VALUES = 20_000
"""Values that are looked at one by one where no direction is sure."""
MOST_SHOWN = 100

_CONDITION = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(<=|>=|==|=|<|>)\s*(\S.*?)\s*")
_BETWEEN = re.compile(r"\s*([A-Za-z_][\w.-]*)\s+between\s+(\S.*?)\s+and\s+(\S.*?)\s*")


class Condition:
    """A bound on a line: its name, and what it may be."""

    def __init__(self, text: str) -> None:
        between, one = _BETWEEN.fullmatch(text), _CONDITION.fullmatch(text)
        if between:
            self.name, self._low, self._high = between.groups()
            self._operation = "between"
        elif one:
            self.name, self._operation, self._high = one.groups()
            self._low = self._high
        else:
            raise UsageError(
                f"{quote(text)} is no bound on a line",
                "such as 'memory.worst.total <= 80GiB', or 'kv_cache.bytes between 1GB and 2GB'",
            )
        self.text = " ".join(text.split())
        self.low, self.high = 0.0, 0.0

    def read(self, unit: str) -> None:
        """Read the bound in the unit of its line."""
        dimension = DIMENSIONS.get(unit, "ratio")
        try:
            self.low = quantities.parse(self._low, dimension, minimum=None)
            self.high = quantities.parse(self._high, dimension, minimum=None)
        except UsageError as error:
            raise UsageError(f"{quote(self.text)}: {error.message}", error.hint) from None
        if self.low > self.high:
            raise UsageError(f"{quote(self.text)}: the lower bound is above the upper one")

    def holds(self, value: Any) -> bool:
        """Tell whether a value keeps the bound."""
        return not self.below(value) and not self.above(value)

    def below(self, value: Any) -> bool:
        """Tell whether a value is too small."""
        if self._operation in ("<", "<="):
            return False
        return bool(value <= self.low if self._operation == ">" else value < self.low)

    def above(self, value: Any) -> bool:
        """Tell whether a value is too large."""
        if self._operation in (">", ">="):
            return False
        return bool(value >= self.high if self._operation == "<" else value > self.high)


class Search:
    """The search for the values of one number at which a line keeps its bound."""

    def __init__(
        self, traced: Traced, condition: Condition, unknown: Quantity, least: int, most: int
    ) -> None:
        self.traced = traced
        self.condition = condition
        self.unknown = unknown
        self.least = least
        self.most = most
        self.how = ""
        self.cut = self.gaps = False
        self._asked: dict[int, Any] = {}
        self._known_direction: list[int | None] = []
        self._form = self._closed_form()

    def _closed_form(self) -> Derivation | None:
        """Return the line in the unknown, where its ledger shows all that it does.

        Of pp it shows the ranks of one value alone.
        """
        if self.unknown.name == "pp":
            return None
        try:
            found = Derivation(self.traced, [self.unknown])
            check(found)
        except UsageError:
            return None
        return found

    def plain(self, value: int) -> Any:
        """Ask the query; None where it refuses the value."""
        if value not in self._asked:
            if len(self._asked) >= MOST_QUERIES:
                raise UsageError(
                    f"none of {MOST_QUERIES:,} values of {self.unknown.name} was accepted where "
                    "the bound is kept",
                    "narrow the search with --from and --to",
                )
            self._asked[value] = self.traced.plain({self.unknown.name: value})
        return self._asked[value]

    def good(self, value: int) -> bool:
        """Tell whether the query accepts a value and the line keeps its bound there."""
        found = self.plain(value)
        return found is not None and self.condition.holds(found)

    def values(self, want: str) -> tuple[list[int], bool]:
        """Return the values wanted, and whether all between the first and the last are as good.

        Raises
        ------
        Infeasible
            If there is none.
        """
        candidates = self._candidates()
        if candidates is None:
            span = self._span()
            if span is None:
                raise self._none()
            return self._in_span(*span, want)
        if self._divisors() is None and self._form is not None:
            self.how = (
                f"each {self.unknown.name} from {self.least:,} to {self.most:,} was looked at"
            )
        else:
            self.how = f"each of {len(candidates):,} values was asked for"
        if not candidates:
            raise self._none()
        if want == "all" and len(candidates) > MOST_SHOWN:
            ends = [self._accepted(candidates), self._accepted(reversed(candidates))]
            self.gaps = candidates[-1] - candidates[0] >= len(candidates)
            return list(dict.fromkeys(ends)), True
        if want != "all":
            return [
                self._accepted(candidates if want == "smallest" else reversed(candidates))
            ], False
        good = [value for value in candidates if self.good(value)]
        if not good:
            raise self._none()
        return good, False

    # --- where to look

    def _candidates(self) -> list[int] | None:
        """Return the only values that can be accepted, or those of a short span."""
        listed = self._divisors()
        if listed is not None:
            return [value for value in listed if self.least <= value <= self.most]
        if self._form is not None and self._direction() is not None:
            return None
        size = self.most - self.least + 1
        if self._form is None:
            if size > MOST_QUERIES:
                raise UsageError(
                    f"{self.traced.name} has no closed form in {self.unknown.name}, and "
                    f"{size:,} values are too many to ask for",
                    f"--to {self.least + MOST_QUERIES - 1}, say",
                )
            return list(range(self.least, self.most + 1))
        if size > MOST_VALUES:
            self.most = self.least + MOST_VALUES - 1
            self.cut = True
        return [value for value in range(self.least, self.most + 1) if self._may_do(value)]

    def _may_do(self, value: int) -> bool:
        """Tell whether the closed form keeps the bound at a value."""
        assert self._form is not None  # noqa: S101 - asked for where there is one
        try:
            return self.condition.holds(self._form.at({self.unknown.name: value}))
        except ArithmeticError:  # a value that the query refuses, such as 0 GPUs
            return False

    def _divisors(self) -> list[int] | None:
        """Return what a degree may be: a divisor of the GPUs, or of the heads, that it divides."""
        divided = self._divided()
        return None if divided is None else divisors(divided)

    def _divided(self) -> int | None:
        layout, name = self.traced.layout, self.unknown.name
        if self.unknown.field == "num_key_value_heads":
            views = architecture_of(self.traced.model).groups
            return gcd(*(view.attention.heads.value for view in views))
        if layout is None or not self.unknown.places[0].startswith("layout."):
            return None
        follows = name in ("tp", "cp", "pp") and "dp" not in self.traced.hold
        if follows or name in ("ep", "etp"):
            return layout.gpus if follows else layout.tp * layout.cp * layout.dp
        if name in ("dp", "micro_batch") and layout.global_batch is not None:
            return layout.global_batch // (layout.micro_batch if name == "dp" else layout.dp)
        return None

    def _direction(self) -> int | None:
        assert self._form is not None  # noqa: S101 - asked for where there is one
        if not self._known_direction:
            way = direction(self._form.term, self.unknown.name)
            if way is None and not self._form.candidates:
                way = direction(self._form.whole(), self.unknown.name)
            self._known_direction = [way]
        return self._known_direction[0]

    # --- where the line goes one way

    def _span(self) -> tuple[int, int] | None:
        """Return the first and the last value that keep the bound by the closed form."""
        assert self._form is not None  # noqa: S101 - asked for where there is one
        way, form, name = self._direction(), self._form, self.unknown.name

        def at(value: int) -> Any:
            try:
                return form.at({name: value})
            except ArithmeticError:
                raise UsageError(
                    f"{self.traced.name} has no value at {name} {value:,}",
                    f"--from {max(1, value + 1):,}",
                ) from None

        if way == FLAT:
            return (self.least, self.most) if self.condition.holds(at(self.least)) else None
        before, after = self.condition.below, self.condition.above
        if way == DOWN:
            before, after = after, before
        first = first_where(lambda value: not before(at(value)), self.least, self.most)
        end = first_where(lambda value: after(at(value)), self.least, self.most)
        last = self.most if end is None else end - 1
        self.how = f"found by bisection: {self.traced.name} goes one way with {name}"
        return (first, last) if first is not None and first <= last else None

    def _in_span(self, first: int, last: int, want: str) -> tuple[list[int], bool]:
        if last - first < MOST_SHOWN:
            found = [value for value in range(first, last + 1) if self.good(value)]
            if not found:
                raise self._none()
            return {"smallest": found[:1], "largest": found[-1:], "all": found}[want], False
        found = []
        if want != "largest":
            found.append(self._accepted(range(first, last + 1)))
        if want != "smallest":
            found.append(self._accepted(range(last, first - 1, -1)))
        return list(dict.fromkeys(found)), True

    def _accepted(self, values: Iterable[int]) -> int:
        """Return the first value that the query accepts."""
        found = next((value for value in values if self.good(value)), None)
        if found is None:
            raise self._none()
        return found

    def _none(self) -> Infeasible:
        """Return the error that there is no value, with the nearest that there is."""
        for value in (self.least, self.most):
            if len(self._asked) < MOST_QUERIES:
                self.plain(value)
        tried = {value: found for value, found in self._asked.items() if found is not None}
        if self.least <= self.unknown.value <= self.most:
            tried[self.unknown.value] = self.traced.line.value
        name, bound = self.unknown.name, self.condition.text
        text = f"no {name} from {self.least:,} to {self.most:,} gives {bound}"
        if tried:
            nearest = min(tried, key=lambda value: self._distance(tried[value]))
            shown = format_quantity(tried[nearest], self.traced.unit)
            text += f"; nearest is {shown} at {name} {nearest:,}"
        return Infeasible(text)

    def _distance(self, value: Any) -> float:
        low, high = self.condition.low, self.condition.high
        return float(abs(value - (low if self.condition.below(value) else high)))


def first_where(holds: Callable[[int], bool], least: int, most: int) -> int | None:
    """Return the first value from which on something holds; None where it never does.

    >>> first_where(lambda value: value * value >= 50, 0, 100)
    8
    """
    if not holds(most):
        return None
    while least < most:
        middle = (least + most) // 2
        if holds(middle):
            most = middle
        else:
            least = middle + 1
    return least


def divisors(number: int) -> list[int]:
    """Return the divisors of a number, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [each for each in range(1, int(number**0.5) + 1) if number % each == 0]
    return sorted({*small, *(number // each for each in small)})


def answer_solve(
    query: Query,
    condition: Condition,
    name: str,
    *,
    want: str = "all",
    least: int | None = None,
    most: int | None = None,
    hold: tuple[str, ...] = (),
) -> Answer:
    """Find the integers at which a line of a query keeps a bound.

    Raises
    ------
    UsageError, InvalidInput
        As the query is wrong, has no such line or number, or the search has no end.
    Infeasible
        If there is none.
    """
    if want not in WANTS:
        raise UsageError(f"--want {quote(want)}: choose one of {', '.join(WANTS)}")
    traced = Traced(query, condition.name, hold=hold)
    unknown = traced.quantity(name, "--for")
    if type(unknown.value) is not int or unknown.name == RANK:
        raise UsageError(
            f"--for {quote(name)}: integers of the query are solved for, and this is none",
            "dsv3calc formula sensitivity tells how the line moves with it",
        )
    condition.read(traced.unit)
    low, high = _range(unknown)
    if unknown.name == "pp" and traced.depth is not None:
        high = min(high, traced.depth)  # every stage has a layer
    low, high = max(low, low if least is None else least), min(high, high if most is None else most)
    if low > high:
        raise UsageError(f"--from {low} is above --to {high}")
    search = Search(traced, condition, unknown, low, high)
    values, filled = search.values(want)
    answer = Answer("formula solve", {"command": query.command, **traced.answer.query}, "solve")
    answer.query |= {"condition": condition.text, "for": unknown.name, "want": want}
    answer.rows = [
        {unknown.name: value, condition.name: search.plain(value), "unit": traced.unit}
        for value in values
    ]
    answer.notes += _notes(search, values, want, filled=filled)
    follows = traced.follows([unknown])
    if follows is not None and traced.layout is not None:
        answer.notes.append(f"dp follows from the {traced.layout.gpus:,} GPUs (--hold dp keeps it)")
    for attribute in ("assumptions", "warnings", "sources"):
        setattr(answer, attribute, getattr(traced.answer, attribute))
    return answer


def _notes(search: Search, values: list[int], want: str, *, filled: bool) -> list[str]:
    """Tell what was looked at, and what is between the values."""
    name = search.unknown.name
    notes = []
    if filled and len(values) > 1:
        notes.append(
            f"so do many values of {name} between them, though not all"
            if search.gaps
            else f"so does every {name} between them that the query accepts"
        )
    if search.cut:
        notes.append(f"no {name} above {search.most:,} was looked at: --from, --to")
    elif values[-1] == search.most and filled and want != "smallest":
        notes.append(f"the search ends at {name} {search.most:,}: larger ones may do too")
    return [*notes, search.how] if search.how else notes


def _range(unknown: Quantity) -> tuple[int, int]:
    """Return between what a number may lie at all."""
    symbol = unknown.symbol
    least = 0 if symbol is None else symbol.least if symbol.whole else 1
    kind = unknown.places[0].partition(".")[0]
    if kind == "workload":
        return least, LARGEST_WORKLOAD
    return least, LARGEST_DEGREE if kind == "layout" else LARGEST_COUNT
