"""The points of a study by number, and what each gives."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import prod
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import Dsv3calcError, InvalidInput, UsageError
from dsv3calc.queries.fields import fields_of
from dsv3calc.queries.table import QUERIES, struct_of
from dsv3calc.reading.diagnostics import quote
from dsv3calc.studies.search.conditions import read_condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.queries.base import Query
    from dsv3calc.schema.study import Axis, Study
    from dsv3calc.studies.answer import Answer

    Row = dict[str, Any]
    Ask = Callable[[str], Answer]
    Parse = Callable[[str], Query]

REFUSED = "refused"
"""The column that says why a point has no outputs."""


class Points:
    """The points of a study, in the order of its axes, the last varying fastest.

    Parameters
    ----------
    study
        What is asked.
    ask
        Answers a query in words: ``dsv3calc.answer``.
    parse
        Reads a query in words: ``dsv3calc.api.parse_query``.

    Raises
    ------
    UsageError
        If a query cannot be read, or no query has what an axis varies.
    """

    def __init__(self, study: Study, ask: Ask, parse: Parse) -> None:
        self.study = study
        self.ask = ask
        self.groups = [group.axes for group in study.axes]
        self.values = [[axis.candidates for axis in group] for group in self.groups]
        self.sizes = [len(each[0]) for each in self.values]
        self.axes = [axis for group in self.groups for axis in group]
        self.taken = [_taken(text) for text in study.queries]
        for axis in self.axes:
            if axis.option and not any(axis.option in taken for taken in self.taken):
                raise UsageError(
                    f"axis {axis.name}: no query has the option {quote(axis.option)}",
                    "name an option as it is typed, without its dashes",
                )
        names = [axis.name for axis in self.axes]
        known = [*names, *study.outputs]
        conditions = [read_condition(text, known) for text in study.where]
        self.before = [each for each in conditions if {*each.needs} <= {*names}]
        self.after = [each for each in conditions if each not in self.before]
        for text in self.texts(self.at(0)):
            parse(text)

    @property
    def count(self) -> int:
        """The number of points."""
        return prod(self.sizes)

    @property
    def columns(self) -> list[str]:
        """The names of the columns of a row."""
        return [*(axis.name for axis in self.axes), *self.study.outputs, REFUSED]

    def at(self, number: int) -> Row:
        """Return the values of the axes at a point."""
        found: Row = {}
        for group, values, size in reversed(
            list(zip(self.groups, self.values, self.sizes, strict=True))
        ):
            number, place = divmod(number, size)
            found = {
                axis.name: each[place] for axis, each in zip(group, values, strict=True)
            } | found
        return found

    def row(self, number: int) -> Row | None:
        """Return the row of a point, None where a condition leaves it out."""
        point = self.at(number)
        if not all(bool(each.holds(point)) for each in self.before):
            return None
        row: Row = {**point, **dict.fromkeys(self.study.outputs), REFUSED: ""}
        try:
            answers = [self.ask(text) for text in self.texts(point)]
            for name, line in self.study.outputs.items():
                row[name] = _value(answers, line)
        except InvalidInput as error:
            row[REFUSED] = "; ".join(problem.what for problem in error.problems)
        except Dsv3calcError as error:
            row[REFUSED] = error.message
        if row[REFUSED]:
            return row | dict.fromkeys(self.study.outputs)
        return row if all(bool(each.holds(row)) for each in self.after) else None

    def texts(self, point: Row) -> list[str]:
        """Return the queries of a point in words."""
        return [
            " ".join([text, *(word for axis in self.axes for word in _words(axis, point, taken))])
            for text, taken in zip(self.study.queries, self.taken, strict=True)
        ]


def _taken(text: str) -> set[str]:
    """Return the options that the command of a query has, without their dashes.

    Raises
    ------
    UsageError
        If the text begins with no query.
    """
    words = text.split()
    command = next(
        (QUERIES[name] for name in (" ".join(words[:2]), words[0]) if name in QUERIES), None
    )
    if command is None:
        raise UsageError(f"{quote(text)} is no query", f"it begins with {', '.join(QUERIES)}")
    fields = fields_of(struct_of(command)).values()
    return {each.flag.removeprefix("--") for each in fields if not each.option.positional}


def _words(axis: Axis, point: Row, taken: set[str]) -> list[str]:
    """Return what an axis adds to a query in words."""
    value = point[axis.name]
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    if axis.option is None:
        return [word for path in axis.fields for word in ("--set", quoted(f"{path}={shown}"))]
    if axis.option not in taken or value is False:
        return []
    flag = f"--{axis.option}"
    return [flag] if value is True else [flag, quoted(shown)]


def _value(answers: list[Answer], name: str) -> Any:
    """Return the value of a line of the first answer that has it.

    Raises
    ------
    UsageError
        If none has it.
    """
    for answer in answers:
        for column in answer.columns:
            line = column.ledger.get(name)
            if line is not None:
                return line.value
    raise UsageError(f"no answer has the line {quote(name)}", "--json prints the names of lines")
