"""Answer ``formula eval``: a registered formula with numbers put in."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.formulas.registry.domains import domain_of, names_in, violated
from dsv3calc.formulas.registry.glossary import SYMBOLS
from dsv3calc.formulas.registry.registry import all_formulas
from dsv3calc.ledger.line import Ledger, Line, computed, given
from dsv3calc.numbers import quantity
from dsv3calc.queries.formula import split_argument
from dsv3calc.reading.diagnostics import did_you_mean, quote, suggest
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.goldens.tolerance import DIMENSIONS

if TYPE_CHECKING:
    from dsv3calc.formulas.registry.registry import Formula
    from dsv3calc.queries.formula import FormulaEvalQuery

LARGEST_POWER = 10_000
"""What stands in an exponent or a binomial coefficient is at most this: more takes for ever."""
LARGEST_RESULT = 10**300
MOST_SHOWN = 12

_MORE_DIMENSIONS = {"bit": "bits", "USD/h": "usd/h", "W": "w"}
_COUNTS = ("1", "ratio", "elements")
"""Units of which one may stand for another: numbers without a dimension."""


def answer_formula_eval(query: FormulaEvalQuery) -> Answer:
    """Evaluate a formula.

    Raises
    ------
    UsageError
        If there is no such formula, or its arguments are not these, no numbers, or have no result.
    InvalidInput
        If a preset of a query among the arguments is not valid.
    """
    formulas = all_formulas()
    formula = formulas.get(query.name)
    if formula is None:
        raise UsageError(
            f"there is no formula {quote(query.name)}",
            did_you_mean(query.name, formulas, "dsv3calc formula list"),
        )
    texts = _by_name(formula, query.arguments)
    answer = Answer(
        "formula eval", {"name": formula.name, "arguments": list(query.arguments)}, "formula eval"
    )
    deep = _behind_powers(formula)
    arguments = {
        name: _argument(answer, formula, name, texts[name], query, deep)
        for name in formula.parameters
    }
    _check_domain(formula, arguments)
    line = _evaluated(formula, arguments)
    answer.columns.append(Column(formula.name, formula.name, Ledger(formula.name, [line])))
    return answer


def _by_name(formula: Formula, arguments: tuple[str, ...]) -> dict[str, str]:
    """Give each argument its text; say at once what is missing, too much, or twice."""
    found: dict[str, str] = {}
    faults: list[str] = []
    close = ""
    for text in arguments:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals:
            faults.append(f"{quote(text)} is not of the form ARGUMENT=VALUE")
        elif name not in formula.parameters:
            faults.append(f"it has no argument {quote(name)}")
            close = close or suggest(name, formula.parameters)
        elif name in found:
            faults.append(f"{name} is given twice")
        else:
            found[name] = value.strip()
    missing = [name for name in formula.parameters if name not in found]
    if missing:
        faults.append(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    if faults:
        raise UsageError(
            f"{formula.name}: {'; '.join(faults[:MOST_SHOWN])}",
            (f"did you mean '{close}'? " if close else "") + f"arguments: {_listed(formula)}",
        )
    return found


def _listed(formula: Formula) -> str:
    return ", ".join(
        f"{name} [{unit}]"
        for name, unit in zip(formula.parameters, formula.argument_units, strict=True)
    )


def _behind_powers(formula: Formula) -> set[str]:
    """Return the arguments that stand in an exponent or a binomial coefficient."""
    from dsv3calc.symbolic.term import bottom_up, record

    whole, steps = record(formula.function)
    behind: list[Any] = []
    for top in (whole, *steps.values()):
        for term in bottom_up(top):
            if term.operation in ("**", "binomial"):
                behind += term.parts[term.operation == "**" :]
    return {term.name for part in behind for term in bottom_up(part)} & {*formula.parameters}


def _argument(
    answer: Answer,
    formula: Formula,
    name: str,
    text: str,
    query: FormulaEvalQuery,
    deep: set[str],
) -> Line:
    unit = formula.argument_units[formula.parameters.index(name)]
    if name in query.inputs:
        line = _of_query(answer, f"{name}={text}", query, unit)
        value = line.value
    else:
        value = _number(formula, name, text, unit)
        answer.notes += filter(None, [quantity.other_reading(text, "tokens")] * (unit == "tokens"))
        line = given(name, value, unit)
    if name in deep and value > LARGEST_POWER:
        raise UsageError(f"{formula.name}: {name} is at most {LARGEST_POWER:,} here")
    return line


def _number(formula: Formula, name: str, text: str, unit: str) -> int | float:
    """Read a number or a quantity of the argument's unit."""
    symbol = SYMBOLS[name]
    dimension = (DIMENSIONS | _MORE_DIMENSIONS).get(unit, "ratio")
    if dimension == "count" and not symbol.whole:
        dimension = "ratio"
    try:
        return quantity.parse(text, dimension, minimum=None)
    except UsageError as error:
        if not symbol.whole and re.fullmatch(r"[0-9.eE+-]+", text):  # the mean of whole things
            try:
                return quantity.parse(text, "ratio", minimum=None)
            except UsageError:
                pass
        raise UsageError(f"{formula.name}: {name}: {error.message}", error.hint) from None


_QUANTITY = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<column>[^\[\]]+)\])?")


def _of_query(answer: Answer, text: str, query: FormulaEvalQuery, unit: str) -> Line:
    """Answer the query of an argument and take its quantity."""
    from dsv3calc.studies.dispatch import answer as ask

    argument, wanted, _ = split_argument(text)
    found = ask(query.inputs[argument])
    match = _QUANTITY.fullmatch(wanted)
    columns = {column.id: column for column in found.columns}
    place = match["column"] if match else None
    if match is None or (place is not None and place not in columns):
        raise UsageError(f"{argument}: no column {quote(wanted)}", f"columns: {', '.join(columns)}")
    if place is None and len(columns) != 1:
        raise UsageError(
            f"{argument}: the query has {len(columns)} columns",
            f"write {wanted}[COLUMN]; columns: {', '.join(columns)}",
        )
    named = (columns[place] if place else found.columns[0]).ledger.named()
    line = named.get(match["name"])
    if line is None:
        raise UsageError(
            f"{argument}: the answer has no quantity {quote(match['name'])}",
            did_you_mean(match["name"], named),
        )
    if line.unit != unit and not (line.unit in _COUNTS and unit in _COUNTS):
        raise UsageError(f"{argument} is in {unit}, and {line.name} in {line.unit}")
    answer.presets += [each for each in found.presets if each not in answer.presets]
    add_new(answer.assumptions, found.assumptions)
    add_new(answer.warnings, found.warnings)
    answer.sources += [each for each in found.sources if each not in answer.sources]
    return line


def _check_domain(formula: Formula, arguments: dict[str, Line]) -> None:
    """Refuse arguments for which the formula does not hold.

    Raises
    ------
    UsageError
        With the first argument outside of its domain.
    """
    values = {name: line.value for name, line in arguments.items()}
    found = violated(formula, values)
    if found is None:
        return
    name, condition = found
    others = [other for other in names_in(condition) if other != name]
    here = ", ".join(f"{other} = {values[other]}" for other in others)
    raise UsageError(
        f"{formula.name}: {name} = {values[name]} is outside the domain {condition}"
        + (f", where {here}" if here else ""),
        f"{name}: {domain_of(formula, name)}; see dsv3calc formula show {formula.name}",
    )


def _evaluated(formula: Formula, arguments: dict[str, Any]) -> Line:
    try:
        line = computed(f"formula.{formula.name}", formula.function, **arguments)
        sound = abs(line.value) < LARGEST_RESULT  # no NaN is, either
    except ArithmeticError as error:
        numbers = ", ".join(f"{name}={part.value}" for name, part in arguments.items())
        why = "division by zero" if isinstance(error, ZeroDivisionError) else str(error)
        raise UsageError(
            f"{formula.name} has no value for {numbers}: {why}",
            "its notes say where it holds: docs/reference/formulas.md",
        ) from None
    if not sound or isinstance(line.value, complex):
        raise UsageError(f"{formula.name} has no value that can be shown for these arguments")
    return line
