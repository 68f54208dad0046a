"""Answer ``formula solve``: the integers at which a line satisfies a bound.

Every value in the answer was computed by the query itself, and only values that the query accepts
count. The closed form of the line tells where to look, once it has been compared with the query
over the whole range: by bisection where it is monotonic, else value by value. A line without such
a form is computed by the query at every value.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.ledger.tags import RANK
from dsv3calc.numbers.divisors import divisors
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.reading.diagnostics import quote
from dsv3calc.schema.fields import LARGEST_COUNT
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.checked import LARGEST_WORKLOAD
from dsv3calc.studies.goldens.tolerance import FLOAT_TOLERANCE
from dsv3calc.studies.layout.build import LARGEST_DEGREE
from dsv3calc.studies.lines.accepted import End, first_accepted, first_where, last_accepted
from dsv3calc.studies.lines.derive import Derivation, check
from dsv3calc.studies.lines.divided import divided_by
from dsv3calc.studies.lines.open_line import FOLLOWS_FROM_GPUS, OpenLine
from dsv3calc.symbolic.slope import DOWN, FLAT, direction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.queries.base import Query
    from dsv3calc.studies.lines.condition import Condition
    from dsv3calc.studies.lines.quantity import Quantity

WANTS = ("smallest", "largest", "all")
MOST_QUERIES = 2000
"""Values at which the query is asked where the line has no closed form."""
MOST_VALUES = 20_000
"""Values at which a closed form is computed where it is not known to be monotonic."""
MOST_SHOWN = 100
MOST_NEAREST = 300
"""Values nearest to a bound of which one that the query accepts is looked for."""
MOST_LISTED = 12
"""Values that a sentence lists."""


class Search:
    """The search for the values of one number at which a line satisfies its bound.

    ``how`` says which values were tried, and by what.
    """

    def __init__(
        self, traced: OpenLine, condition: Condition, unknown: Quantity, least: int, most: int
    ) -> None:
        self.traced = traced
        self.condition = condition
        self.unknown = unknown
        self.least = least
        self.most = most
        self.how = ""
        self.cut = self.gaps = False
        self.untried: list[Sequence[int]] = []
        self._near: list[Sequence[int]] = []  # the values before a bound is met, and after
        self._asked: dict[int, Any] = {}
        self._known_direction: list[int | None] = []
        self._form = self._closed_form()

    def _closed_form(self) -> Derivation | None:
        """Return the closed form in the unknown, where the query gives the same over the range.

        There is none in pp: a ledger has the ranks of one pp alone. Divisors need none.
        """
        if self.unknown.name == "pp" or divided_by(self.traced, self.unknown) is not None:
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
        UsageError
            If none was found, and values were left out.
        """
        candidates = self._candidates()
        if not candidates:
            raise self._none()
        if len(candidates) <= MOST_SHOWN:
            found = [value for value in candidates if self.good(value)]
            if not found:
                raise self._none()
            return {"smallest": found[:1], "largest": found[-1:], "all": found}[want], False
        return self._ends(candidates, want)

    def _ends(self, candidates: Sequence[int], want: str) -> tuple[list[int], bool]:
        """Return the first or the last good value, or both; of a few values all between them."""
        ends = []
        if want != "largest":
            ends.append(self._end(first_accepted, candidates))
        if want != "smallest":
            ends.append(self._end(last_accepted, candidates))
        found = [end.value for end in ends if end.value is not None]
        if not found:
            self.untried = self.untried[:1]
            raise self._none()
        if want != "all":
            return found, False
        if found[-1] - found[0] < MOST_SHOWN:
            inside = range(found[0], found[-1] + 1)
            return [value for value in inside if value in candidates and self.good(value)], False
        self.gaps = len(candidates) <= candidates[-1] - candidates[0]
        return found, True

    def _end(self, search: Callable[..., End], candidates: Sequence[int]) -> End:
        end = search(candidates, self.good, [self.unknown.value, *self._known()])
        if end.untried:
            self.untried.append(end.untried)
        return end

    # --- where to look

    def _candidates(self) -> Sequence[int]:
        """Return the only values that can be accepted and satisfy the bound, ascending."""
        divided = divided_by(self.traced, self.unknown)
        if divided is not None:
            number, what = divided
            known = {*divisors(number), self.unknown.value}
            listed = sorted(each for each in known if self.least <= each <= self.most)
            self.how = f"tried {self.unknown.name} {_listed(listed)}: divisors of {what}"
            return [value for value in listed if self.good(value)]
        if self._form is not None and self._direction() is not None:
            return self._span()
        size = self._size
        if self._form is None:
            if size > MOST_QUERIES:
                raise UsageError(
                    f"{self.traced.name} has no closed form in {self.unknown.name}, and the range "
                    f"has {size:,} values: the query is computed at {MOST_QUERIES:,} at most",
                    f"narrow the range, for example with --to {self.least + MOST_QUERIES - 1}",
                )
            self.how = f"tried every {self._range} with the query"
            return [value for value in range(self.least, self.most + 1) if self.good(value)]
        if size > MOST_VALUES:
            self.most = self.least + MOST_VALUES - 1
            self.cut = True
        self.how = f"tried every {self._range} with the closed form, the hits with the query"
        return [value for value in range(self.least, self.most + 1) if self._may_do(value)]

    def _may_do(self, value: int) -> bool:
        """Tell whether the closed form satisfies the bound at a value."""
        found = self._of_form(value)
        return found is not None and self.condition.holds(found)

    def _of_form(self, value: int) -> Any:
        """Return the closed form at a value; None where it has none, such as at 0 GPUs."""
        assert self._form is not None  # noqa: S101 - asked for where there is one
        try:
            return self._form.at({self.unknown.name: value})
        except ArithmeticError:
            return None

    @property
    def _size(self) -> int:
        return self.most - self.least + 1

    @property
    def _range(self) -> str:
        return f"{self.unknown.name} from {self.least:,} to {self.most:,}"

    def _direction(self) -> int | None:
        assert self._form is not None  # noqa: S101 - asked for where there is one
        if not self._known_direction:
            way = direction(self._form.term, self.unknown.name)
            if way is None and not self._form.candidates and self._size > MOST_VALUES:
                # sympy takes seconds to simplify a form: longer than to compute that many values
                way = direction(self._form.whole(), self.unknown.name)
            self._known_direction = [way]
        return self._known_direction[0]

    # --- where the line is monotonic

    def _span(self) -> Sequence[int]:
        """Return the values that satisfy the bound by the closed form."""
        way, name = self._direction(), self.unknown.name
        every = range(self.least, self.most + 1)

        def at(value: int) -> Any:
            found = self._of_form(value)
            if found is None:
                raise UsageError(
                    f"{self.traced.name} has no value at {name} {value:,}",
                    f"--from {max(1, value + 1):,}",
                )
            return found

        if way == FLAT:
            self.how = f"by its closed form {self.traced.name} is the same at every {self._range}"
            return every if self.condition.holds(at(self.least)) else []
        before, after = self.condition.below, self.condition.above
        if way == DOWN:
            before, after = after, before
        first = first_where(lambda value: not before(at(value)), self.least, self.most)
        end = first_where(lambda value: after(at(value)), self.least, self.most)
        self.how = f"{self.traced.name} is monotonic in {name}: bisected {self._range}"
        low = len(every) if first is None else first - self.least
        high = len(every) if end is None else end - self.least
        self._near = [every[:low], every[high:]]
        return every[low:high]

    # --- where there is none

    def _none(self) -> Infeasible | UsageError:
        """Return the error that there is no value, with the nearest that there is."""
        name = self.unknown.name
        if self.untried or self.cut:
            return UsageError(
                f"no {name} was found that satisfies {self.condition.text}, and not every value "
                f"was tried: {'; '.join([self.how, *self.left_out()])}",
                f"--from {self.most + 1}" if self.cut else "narrow the range with --from and --to",
            )
        nearest = self._nearest()
        text = f"no {name} satisfies {self.condition.text}: {self.how}"
        if nearest is not None:
            shown = format_quantity(
                self._asked[nearest], self.traced.unit, exact=self.condition.is_equation
            )
            text += f"; the closest value is {shown} at {name} {nearest:,}"
        held = name in FOLLOWS_FROM_GPUS and divided_by(self.traced, self.unknown) is not None
        return Infeasible(text, "--hold dp lets the number of GPUs change" if held else "")

    def left_out(self) -> list[str]:
        """Say which values were left out."""
        return [
            f"{self.unknown.name} {values[0]:,} to {values[-1]:,}: the query refuses the "
            f"{sum(each in values for each in self._asked):,} values that were tried"
            for values in self.untried
        ]

    def _nearest(self) -> int | None:
        """Return the accepted value at which the line is closest to its bound."""
        if self.least <= self.unknown.value <= self.most:
            self.plain(self.unknown.value)
        if self._near:
            before, after = self._near
            last_accepted(before, self._accepts, self._known())
            first_accepted(after, self._accepts, self._known())
        elif self._form is not None:
            by_form = {value: self._of_form(value) for value in range(self.least, self.most + 1)}
            values = [value for value, found in by_form.items() if found is not None]
            values.sort(key=lambda value: self._distance(by_form[value]))
            next(filter(self._accepts, values[:MOST_NEAREST]), None)
        known = self._known()
        return min(known, key=lambda value: self._distance(self._asked[value]), default=None)

    def _accepts(self, value: int) -> bool:
        return self.plain(value) is not None

    def _known(self) -> list[int]:
        """Return the values that were tried and are accepted."""
        return [value for value, found in self._asked.items() if found is not None]

    def _distance(self, value: Any) -> float:
        low, high = self.condition.low, self.condition.high
        return float(abs(value - (low if self.condition.below(value) else high)))


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
    traced = OpenLine(query, condition.name, minus=condition.other, hold=hold)
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
        {unknown.name: value, traced.line.name: search.plain(value), "unit": traced.unit}
        for value in values
    ]
    answer.notes += _notes(search, values, want, filled=filled)
    follows = traced.follows([unknown])
    if follows is not None and traced.layout is not None:
        answer.notes.append(
            f"dp follows from the {traced.layout.gpus:,} GPUs (--hold dp keeps it fixed)"
        )
    if traced.dp_follows_experts and unknown.name in ("ep", "etp"):
        answer.notes.append(
            "dp follows from ep x etp, since it is not given (--hold dp keeps it fixed)"
        )
    answer.take_told(traced.answer)
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
    notes += search.left_out()
    return [*notes, search.how] if search.how else notes


def _range(unknown: Quantity) -> tuple[int, int]:
    """Return the smallest and the largest value that a number can have."""
    symbol = unknown.symbol
    least = 0 if symbol is None else symbol.least if symbol.whole else 1
    kind = unknown.places[0].partition(".")[0]
    if kind == "workload":
        return least, LARGEST_WORKLOAD
    return least, LARGEST_DEGREE if kind == "layout" else LARGEST_COUNT
