"""Answer ``formula solve``: the integers at which a line satisfies a bound.

Every value in the answer was computed by the query itself, and only values that the query accepts
count. The closed form of the line tells where to look, once it has been compared with the query
over the whole range: by bisection where it is monotonic, else value by value. A line without such
a form is computed by the query at every value.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.model.architecture import architecture_of
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.reading.diagnostics import quote
from dsv3calc.schema.fields import LARGEST_COUNT
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.goldens.tolerance import FLOAT_TOLERANCE
from dsv3calc.studies.layout.build import LARGEST_DEGREE
from dsv3calc.studies.lines.derive import Derivation, check
from dsv3calc.studies.lines.open_line import RANK, Quantity, Traced
from dsv3calc.studies.preset_loader import LARGEST_WORKLOAD
from dsv3calc.symbolic.slope import DOWN, FLAT, direction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dsv3calc.queries.base import Query
    from dsv3calc.studies.lines.condition import Condition

WANTS = ("smallest", "largest", "all")
MOST_QUERIES = 2000
"""Queries that are asked for one answer."""
MOST_VALUES = 20_000
"""Values at which a closed form is computed where it is not known to be monotonic."""
MOST_SHOWN = 100
MOST_LISTED = 12
"""Values that a sentence lists."""


class Search:
    """The search for the values of one number at which a line satisfies its bound.

    ``how`` says which values were tried, and by what.
    """

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
        """Return the closed form in the unknown, where the query gives the same over the range.

        There is none in pp: a ledger has the ranks of one pp alone. Divisors need none.
        """
        if self.unknown.name == "pp" or self._divided() is not None:
            return None
        try:
            found = Derivation(self.traced, [self.unknown])
            check(found)
        except UsageError:
            return None
        return found if all(self._agrees(found, value) for value in self._sample()) else None

    def _sample(self) -> list[int]:
        """Return values all over the range: its ends, and the powers of two between them."""
        powers = (1 << place for place in range(self.most.bit_length()))
        inside = {power for power in powers if self.least <= power <= self.most}
        return sorted({self.least, self.most, *inside})

    def _agrees(self, form: Derivation, value: int) -> bool:
        """Tell whether a closed form gives what the query does, where it accepts the value."""
        plain = self.plain(value)
        if plain is None:
            return True
        try:
            ours = form.at({self.unknown.name: value})
        except ArithmeticError:
            return False
        return bool(abs(ours - plain) <= FLOAT_TOLERANCE * abs(plain))

    def plain(self, value: int) -> Any:
        """Ask the query; None where it refuses the value."""
        if value not in self._asked:
            if len(self._asked) >= MOST_QUERIES:
                raise UsageError(
                    f"{MOST_QUERIES:,} values of {self.unknown.name} were tried, and the query "
                    f"accepts none that satisfies {self.condition.text}",
                    "narrow the range with --from and --to",
                )
            self._asked[value] = self.traced.plain({self.unknown.name: value})
        return self._asked[value]

    def good(self, value: int) -> bool:
        """Tell whether the query accepts a value and the line satisfies its bound there."""
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
        divided = self._divided()
        if divided is not None:
            number, what = divided
            listed = [each for each in divisors(number) if self.least <= each <= self.most]
            self.how = f"tried {self.unknown.name} {_listed(listed)}: divisors of {what}"
            return listed
        if self._form is not None and self._direction() is not None:
            return None
        size = self.most - self.least + 1
        if self._form is None:
            if size > MOST_QUERIES:
                raise UsageError(
                    f"{self.traced.name} has no closed form in {self.unknown.name}, and the range "
                    f"has {size:,} values: the query is computed at {MOST_QUERIES:,} at most",
                    f"narrow the range, for example with --to {self.least + MOST_QUERIES - 1}",
                )
            self.how = f"tried every {self._range} with the query"
            return list(range(self.least, self.most + 1))
        if size > MOST_VALUES:
            self.most = self.least + MOST_VALUES - 1
            self.cut = True
        self.how = f"tried every {self._range} with the closed form, the hits with the query"
        return [value for value in range(self.least, self.most + 1) if self._may_do(value)]

    def _may_do(self, value: int) -> bool:
        """Tell whether the closed form satisfies the bound at a value."""
        assert self._form is not None  # noqa: S101 - asked for where there is one
        try:
            return self.condition.holds(self._form.at({self.unknown.name: value}))
        except ArithmeticError:  # a value that the query refuses, such as 0 GPUs
            return False

    @property
    def _range(self) -> str:
        return f"{self.unknown.name} from {self.least:,} to {self.most:,}"

    def _divided(self) -> tuple[int, str] | None:
        """Return what a degree divides, as a number and in words; None where it divides nothing."""
        layout, name = self.traced.layout, self.unknown.name
        if self.unknown.field == "num_key_value_heads":
            views = architecture_of(self.traced.model).groups
            heads = gcd(*(view.attention.heads.value for view in views))
            return heads, f"the {heads:,} query heads"
        if layout is None or not self.unknown.places[0].startswith("layout."):
            return None
        follows = name in ("tp", "cp", "pp") and "dp" not in self.traced.hold
        if follows:
            return layout.gpus, f"the {layout.gpus:,} GPU{'s' if layout.gpus > 1 else ''}"
        if name in ("ep", "etp"):
            gpus = layout.tp * layout.cp * layout.dp
            return gpus, f"the {gpus:,} GPU{'s' if gpus > 1 else ''} of a pipeline stage"
        if name in ("dp", "micro_batch") and layout.global_batch is not None:
            other = "micro_batch" if name == "dp" else "dp"
            share = layout.global_batch // getattr(layout, other)
            return share, f"global_batch / {other} = {share:,}"
        return None

    def _direction(self) -> int | None:
        assert self._form is not None  # noqa: S101 - asked for where there is one
        if not self._known_direction:
            way = direction(self._form.term, self.unknown.name)
            if way is None and not self._form.candidates:
                way = direction(self._form.whole(), self.unknown.name)
            self._known_direction = [way]
        return self._known_direction[0]

    # --- where the line is monotonic

    def _span(self) -> tuple[int, int] | None:
        """Return the first and the last value that satisfy the bound by the closed form."""
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
            self.how = f"by its closed form {self.traced.name} is the same at every {self._range}"
            return (self.least, self.most) if self.condition.holds(at(self.least)) else None
        before, after = self.condition.below, self.condition.above
        if way == DOWN:
            before, after = after, before
        first = first_where(lambda value: not before(at(value)), self.least, self.most)
        end = first_where(lambda value: after(at(value)), self.least, self.most)
        last = self.most if end is None else end - 1
        self.how = f"{self.traced.name} is monotonic in {name}: bisected {self._range}"
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
        name = self.unknown.name
        text = f"no {name} satisfies {self.condition.text}: {self.how}"
        if tried:
            nearest = min(tried, key=lambda value: self._distance(tried[value]))
            shown = format_quantity(tried[nearest], self.traced.unit)
            text += f"; the closest value is {shown} at {name} {nearest:,}"
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


def _listed(values: list[int]) -> str:
    """Return values for a sentence, those in the middle of a long list left out.

    >>> _listed([1, 2, 4])
    '1, 2, 4'
    """
    words = [f"{value:,}" for value in values]
    if len(words) > MOST_LISTED:
        words[MOST_LISTED // 2 : -1] = [f"... ({len(values)} values)"]
    return ", ".join(words) or "nothing"


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
    """Find the integers at which a line of a query satisfies a bound.

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
            f"--for {quote(name)}: only integers of the query can be solved for",
            "dsv3calc formula sensitivity shows how the line changes with it",
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
        answer.notes.append(
            f"dp follows from the {traced.layout.gpus:,} GPUs (--hold dp keeps it fixed)"
        )
    for attribute in ("assumptions", "warnings", "sources"):
        setattr(answer, attribute, getattr(traced.answer, attribute))
    return answer


def _notes(search: Search, values: list[int], want: str, *, filled: bool) -> list[str]:
    """Say what was tried, and what lies between the values."""
    name = search.unknown.name
    notes = []
    if filled and len(values) > 1:
        notes.append(
            f"many values of {name} between them satisfy it too, but not all"
            if search.gaps
            else f"all accepted values of {name} between them satisfy it too"
        )
    if search.cut:
        notes.append(f"{name} above {search.most:,} was not tried: move the range with --from")
    elif values[-1] == search.most and filled and want != "smallest":
        notes.append(f"the range ends at {name} {search.most:,}: larger values may satisfy it too")
    return [*notes, search.how] if search.how else notes


def _range(unknown: Quantity) -> tuple[int, int]:
    """Return the smallest and the largest value that a number can have."""
    symbol = unknown.symbol
    least = 0 if symbol is None else symbol.least if symbol.whole else 1
    kind = unknown.places[0].partition(".")[0]
    if kind == "workload":
        return least, LARGEST_WORKLOAD
    return least, LARGEST_DEGREE if kind == "layout" else LARGEST_COUNT
