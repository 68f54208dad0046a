"""Answer ``formula sensitivity``: which input moves a line most.

An elasticity is d ln y / d ln x: how many percent the line moves for one percent of the input. It
is the exact derivative of the closed form where that has one at the point; where it goes in steps,
the exact difference of a step to both sides, of 1 for an integer or of as many as make up a whole
tile or page; and where a number works in ways
that the ledger does not show, what plain queries nearby give.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fractions import Fraction
from math import log
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.explain.provenance import Origins
from dsv3calc.studies.lines.derive import Derivation, other_values
from dsv3calc.studies.lines.open_line import Quantity, Traced
from dsv3calc.symbolic.derivative import exactly
from dsv3calc.symbolic.term_point import Point

if TYPE_CHECKING:
    from dsv3calc.queries.base import Query

DEFAULT_TOP = 10
SHARE = Fraction(1, 100)
"""Step of a real number where its closed form goes in steps."""

_TOLERANCE = 1e-9


class Elasticity:
    """How a line follows from one number at the point of the query."""

    __slots__ = ("method", "quantity", "value")

    def __init__(self, quantity: Quantity, value: float, method: str) -> None:
        self.quantity = quantity
        self.value = value
        self.method = method


def elasticities(traced: Traced) -> list[Elasticity]:
    """Return the elasticity of a line by each number that moves it, the largest first.

    Each number is changed by itself, all others held: dp too.

    Raises
    ------
    Infeasible
        If the line is 0.
    """
    if not traced.line.value:
        raise Infeasible(f"{traced.name} is 0: it has no elasticities")
    quantities = [each for each in traced.quantities() if each.value]
    form = _form(traced, quantities)
    all_of_them = [form.elasticity(each) for each in form.free]
    moving = [each for each in all_of_them if each.value]
    return sorted(moving, key=lambda each: (-abs(each.value), each.quantity.name))


def _form(traced: Traced, quantities: list[Quantity]) -> Form:
    """Trace the line in all numbers; in pp too where candidates for the fullest rank will do."""
    without = [each for each in quantities if each.name != "pp"]
    try:
        found = Form(traced, quantities)
    except UsageError:
        return Form(traced, without)
    return found if found.point.value == traced.line.value else Form(traced, without)


class Form:
    """The closed form of a line in all of its numbers, at the point of the query."""

    def __init__(self, traced: Traced, free: list[Quantity]) -> None:
        found = Derivation(traced, free)
        self.traced = traced
        self.free = free
        self.point = Point(found.term, found.now)

    def elasticity(self, quantity: Quantity) -> Elasticity:
        """Return the elasticity by one number, from queries nearby where the form is wrong."""
        plain = self._nearby(quantity)
        if plain is not None:
            return Elasticity(quantity, *plain)
        value, method = self._of_form(quantity)
        return Elasticity(quantity, float(value), method)

    def _of_form(self, quantity: Quantity) -> tuple[Fraction, str]:
        name, x = quantity.name, quantity.value
        point = self.point
        if name in point.slopes:
            return Fraction(point.slopes[name]) * exactly(x) / point.exact_value, "derivative"
        symbol = quantity.symbol
        whole = type(x) is int and (symbol is None or symbol.whole)
        step = whole_step(point, name, x) if whole else float(SHARE * exactly(x))
        least = symbol.least if symbol is not None else 0
        below = x - step if x - step >= least and x - step > 0 else x
        above = x + step
        method = f"step of {step:,}" if whole else "step of 1 %"
        difference = Fraction(point.at(name, above)) - Fraction(point.at(name, below))
        slope = difference / (exactly(above) - exactly(below))
        return slope * exactly(x) / exactly(point.value), method

    def _nearby(self, quantity: Quantity) -> tuple[float, str] | None:
        """Return what plain queries say, where the closed form is not what the query does."""
        line, traced = self.traced.line, self.traced.held()
        for value in other_values(quantity.value):
            plain = traced.plain({quantity.name: value})
            if plain is None:
                continue
            ours = self.point.at(quantity.name, value)
            if abs(ours - plain) <= _TOLERANCE * abs(plain):
                return None
            if plain <= 0 or line.value <= 0:
                return None
            moved = log(plain / line.value) / log(value / quantity.value)
            return moved, f"query at {value:,}" if type(value) is int else f"query at {value!r}"
        return None


def whole_step(point: Point, name: str, value: int) -> int:
    """Return the step after which an integer's rounded quotients have gone up by whole numbers.

    A tile of 128 that one more channel opens tells nothing of the channels; 128 more do. It is 1
    where there is no such step, or where it would lead to 0.
    """
    step = 1
    number = 0
    quotients = point.quotients(name, value + step)
    while number < len(quotients):
        above, below, above_there, below_there = quotients[number]
        if below != below_there:
            return 1
        more = exactly(above_there) - exactly(above)
        times = (Fraction(below) / abs(more)).numerator if more else 1
        if times != 1:
            step *= times
            if step >= value:
                return 1
            quotients = point.quotients(name, value + step)
        number += 1
    return step


def answer_sensitivity(query: Query, line: str, top: int = DEFAULT_TOP) -> Answer:
    """Rank the numbers that a line stands on by how much it moves with them.

    Raises
    ------
    UsageError, InvalidInput, Infeasible
        As the query is wrong, has no such line, or the line is 0.
    """
    if top < 1:
        raise UsageError(f"--top {top}: expected a number of inputs from 1 on")
    traced = Traced(query, line)
    ranked = elasticities(traced)
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
        "each input is varied alone; elasticity: change of the line in percent for 1 % of the input"
    )
    for attribute in ("assumptions", "warnings", "sources"):
        setattr(answer, attribute, getattr(traced.answer, attribute))
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
