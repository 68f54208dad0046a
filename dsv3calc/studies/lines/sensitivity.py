"""Answer ``formula sensitivity``: which input moves a line most.

An elasticity is log2(y(2x) / y(x)): 1 where the line doubles with the input, -1 where it halves.
It is the same for integers and real numbers, so that all inputs are ranked by one measure: a
degree of 1 has no smaller step than to 2. The value at 2x comes from the closed form, or from
the query where the ledger does not show all that a number changes.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from math import log2
from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.memory.worst_rank import needs_all_ranks
from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.explain.provenance import Origins
from dsv3calc.studies.lines.derive import Derivation, other_values
from dsv3calc.studies.lines.open_line import OpenLine
from dsv3calc.studies.lines.over_ranks import at_value, lines_over_ranks
from dsv3calc.symbolic.term_point import Point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsv3calc.queries.base import Query
    from dsv3calc.studies.lines.quantity import Quantity

DEFAULT_TOP = 10
HALVED = "halved"
UNDEFINED = "undefined"
"""Method of an input that is 1 and takes the line to 0 or below when it doubles."""

SPLIT = ("pp", "virtual_pipeline")
"""Numbers of the stages that layers are split over."""

_TOLERANCE = 1e-9


class Elasticity:
    """How a line follows from one number at the point of the query."""

    __slots__ = ("method", "quantity", "value")

    def __init__(self, quantity: Quantity, value: float, method: str) -> None:
        self.quantity = quantity
        self.value = value
        self.method = method


def elasticities(traced: OpenLine) -> list[Elasticity]:
    """Return the elasticity of a line by each number that moves it, the largest first.

    Those that are undefined come last.

    Each number is changed by itself, all others held: dp too. An etp that follows from other
    degrees is none of them.

    Raises
    ------
    Infeasible
        If the line is 0.
    """
    if not traced.line.value:
        raise Infeasible(f"{traced.name} is 0: it has no elasticities")
    form = _form(traced, [each for each in traced.quantities() if each.value > 0])
    follows = ("etp",) if traced.etp_follows else ()
    moving = [
        each
        for each in form.elasticities()
        if (each.value or each.method == UNDEFINED) and each.quantity.name not in follows
    ]
    return sorted(moving, key=lambda each: (-abs(each.value), each.quantity.name))


def _form(traced: OpenLine, quantities: list[Quantity]) -> Form:
    """Trace the line in all numbers; in pp too where the line can be computed for another pp."""
    without = [each for each in quantities if each.name != "pp"]
    try:
        found = Form(traced, quantities)
    except UsageError:
        return Form(traced, without)
    return found if found.holds else Form(traced, without)


def _any_rank(traced: OpenLine) -> bool:
    """Tell whether any rank may be the fullest, not one of few."""
    return traced.layout is None or needs_all_ranks(traced.model, traced.layout)


class Form:
    """The closed form of a line in its numbers, at the point of the query.

    The numbers of :data:`SPLIT` are not in the form of a maximum over ranks: the ledger lists the
    ranks and chunks that they give, and the line is computed anew where one of them is another.
    """

    def __init__(self, traced: OpenLine, free: list[Quantity]) -> None:
        self.traced = traced
        self.free = free
        self._anew: dict[str, Quantity] = {}
        if lines_over_ranks(traced.line):
            self._anew = {each.name: each for each in free if each.name in SPLIT}
        if "pp" in self._anew and _any_rank(traced):
            raise UsageError("pp cannot be left open: any rank may be the fullest")
        found = Derivation(traced, [each for each in free if each.name not in self._anew])
        self.now = found.now
        self.point = Point(found.term, found.now)

    @property
    def holds(self) -> bool:
        """Whether the form gives the line, and does when computed over candidates for pp."""
        pp = self._anew.get("pp")
        value = self.traced.line.value
        return bool(self.point.value == value) and (
            pp is None or self.at({"pp": pp.value}) == value
        )

    def at(self, values: Mapping[str, Any]) -> Any:
        """Compute the line where numbers have other values; one of :data:`SPLIT`, alone."""
        for name, quantity in self._anew.items():
            if name in values:
                return at_value(self.traced, quantity, values[name])
        return self.point.at(values)

    def elasticities(self) -> list[Elasticity]:
        """Return the elasticity by each number, from queries nearby where the form is wrong."""
        agreed = self._agreed()
        return [
            self._elasticity(each, None if each.name in agreed else self._nearby(each))
            for each in self.free
        ]

    def _elasticity(self, quantity: Quantity, plain: tuple[float, str] | None) -> Elasticity:
        if plain is not None:
            return Elasticity(quantity, *plain)
        return Elasticity(quantity, *self._of_form(quantity))

    def _of_form(self, quantity: Quantity) -> tuple[float, str]:
        """Return what doubling gives; halving where the line would come to 0 or change its sign."""
        x, line = quantity.value, self.point.value
        for value, method in ((x * 2, "doubled"), (x // 2 if type(x) is int else x / 2, HALVED)):
            if value and not self._refused(quantity, value):
                ratio = self.at({quantity.name: value}) / line
                if ratio > 0:
                    return log2(ratio) / log2(value / x), method
        return 0.0, UNDEFINED

    def _refused(self, quantity: Quantity, value: Any) -> bool:
        """Tell whether a share would come to more than 1, which the query does not take."""
        is_share = type(quantity.value) is float and quantity.value <= 1 < value
        return is_share and self._held.plain({quantity.name: value}) is None

    # --- against plain queries

    def _agreed(self) -> set[str]:
        """Return the numbers in which the form gives what queries with several changed do.

        The numbers of one preset are changed together. Those of a layout are not: each of them
        may change what the ledger consists of.
        """
        kinds: dict[str, list[Quantity]] = {}
        for each in self.free:
            kinds.setdefault(each.places[0].partition(".")[0], []).append(each)
        kinds.pop("layout", None)
        return {name for group in kinds.values() for name in self._together(group)}

    def _together(self, group: list[Quantity]) -> set[str]:
        """Return the names of numbers that agree when changed together, of halves where not all.

        They agree to the last bit: a small number shows beside what the others became. No two are
        multiplied by the same factor, where a query accepts that: a ratio may be what is wrong.
        """
        if len(group) < 2:  # noqa: PLR2004 - one is left to be changed by itself
            return set()
        for factors in (range(2, len(group) + 2), [2] * len(group)):
            values = {
                each.name: each.value * factor for each, factor in zip(group, factors, strict=True)
            }
            plain = self._held.plain(values)
            if plain is not None:
                if self.at(values) == plain:
                    return set(values)
                break
        middle = len(group) // 2
        return self._together(group[:middle]) | self._together(group[middle:])

    @cached_property
    def _held(self) -> OpenLine:
        return self.traced.held()

    def _nearby(self, quantity: Quantity) -> tuple[float, str] | None:
        """Return what plain queries say, where the closed form is not what the query does."""
        line = self.traced.line
        for value in other_values(quantity.value):
            plain = self._held.plain({quantity.name: value})
            if plain is None:
                continue
            ours = self.at({quantity.name: value})
            if abs(ours - plain) <= _TOLERANCE * abs(plain):
                return None
            ratio = plain / line.value
            if ratio <= 0:
                continue
            moved = log2(ratio) / log2(value / quantity.value)
            return moved, f"query at {value:,}" if type(value) is int else f"query at {value!r}"
        return None


def answer_sensitivity(query: Query, line: str, top: int = DEFAULT_TOP) -> Answer:
    """Rank the inputs of a line by how much it changes with them.

    Raises
    ------
    UsageError, InvalidInput, Infeasible
        As the query is wrong, has no such line, or the line is 0.
    """
    if top < 1:
        raise UsageError(f"--top {top}: expected a number of inputs from 1 on")
    traced = OpenLine(query, line)
    moving = elasticities(traced)
    ranked = [each for each in moving if each.method != UNDEFINED]
    undefined = [each.quantity.name for each in moving if each.method == UNDEFINED]
    answer = Answer(
        "formula sensitivity", {"command": query.command, **traced.answer.query}, "sensitivity"
    )
    answer.query |= {
        "line": traced.name,
        "top": top,
        "value": traced.line.value,
        "unit": traced.unit,
    }
    column = traced.answer.columns[0].id
    origins = Origins(traced.answer, query, column)
    answer.headings = ["input", "value", "unit", "elasticity", "method", "kind", "meaning"]
    answer.rows = [_row(each, origins) for each in ranked[:top]]
    if len(ranked) > top:
        answer.notes.append(
            f"{len(ranked) - top} inputs of smaller elasticity are hidden: --top {len(ranked)}"
        )
    answer.notes.append(
        "each input is varied alone; elasticity: log2 of the line's ratio when the input doubles, "
        "+1 where the line doubles and -1 where it halves"
    )
    if any(each.method == HALVED for each in ranked[:top]):
        answer.notes.append(
            f"{HALVED}: when the input doubles, the line comes to 0 or below; the elasticity is "
            "from half the input"
        )
    if undefined:
        answer.notes.append(
            f"not ranked, since {traced.name} comes to 0 or below when they double: "
            f"{', '.join(undefined)}"
        )
    if traced.answer.etp_rule is not None and traced.etp_follows:
        answer.notes.append(f"etp is not varied alone, it follows: {traced.answer.etp_rule.words}")
    answer.take_told(traced.answer)
    return answer


def _row(each: Elasticity, origins: Origins) -> dict[str, Any]:
    quantity = each.quantity
    symbol = quantity.symbol
    return {
        "input": quantity.name,
        "value": quantity.value,
        "unit": symbol.unit if symbol is not None else "1",
        "elasticity": each.value,
        "method": each.method,
        "kind": origins.of(quantity.places[0], quantity.value).kind,
        "meaning": symbol.description if symbol is not None else "",
    }
