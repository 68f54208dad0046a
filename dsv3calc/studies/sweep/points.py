"""The points of a study by number, and what each gives."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from math import prod
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any, NamedTuple

from dsv3calc.catalogue.overrides import NoSuchPlace, parse_overrides
from dsv3calc.errors import Dsv3calcError, InvalidInput, InvalidOverride, UsageError
from dsv3calc.queries.fields import fields_of
from dsv3calc.queries.table import QUERIES, struct_of
from dsv3calc.reading.diagnostics import did_you_mean, quote
from dsv3calc.reading.text import dotted
from dsv3calc.studies.public_lines.table import public_line
from dsv3calc.studies.search.conditions import read_condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dsv3calc.queries.base import Query
    from dsv3calc.reading.diagnostics import Problem
    from dsv3calc.reading.source import Source
    from dsv3calc.reading.text import PathInData
    from dsv3calc.schema.study import Axis, Study, Value
    from dsv3calc.studies.answer import Answer

    Row = dict[str, Any]
    Ask = Callable[[str], Answer]
    Parse = Callable[[str], Query]

REFUSED = "refused"
"""The column that says why a point has no outputs."""

_TOGETHER = 1000
"""Points of which conditions are checked together."""


class Taken(NamedTuple):
    """What a query takes: options without their dashes, arguments, kinds of presets."""

    command: str
    options: frozenset[str]
    arguments: frozenset[str]
    kinds: frozenset[str]


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
    source
        The text of the study: what is wrong is shown there.

    Raises
    ------
    InvalidInput
        If a query or a condition cannot be read, or no query has what an axis varies.
    """

    def __init__(self, study: Study, ask: Ask, parse: Parse, source: Source) -> None:
        self.study = study
        self.ask = ask
        self.parse = parse
        self.source = source
        self.groups = [group.axes for group in study.axes]
        self.values = [[axis.candidates for axis in group] for group in self.groups]
        self.sizes = [len(each[0]) for each in self.values]
        self.axes = [axis for group in self.groups for axis in group]
        self._problems: list[Problem] = []
        names = [axis.name for axis in self.axes]
        known = [*names, *study.outputs]
        self.taken: list[Taken] = self._read("queries", study.queries, _taken)
        self.varied = self._varied() if len(self.taken) == len(study.queries) else []
        self.in_words = {
            axis.name
            for group, several in zip(self.groups, self.values, strict=True)
            for axis, values in zip(group, several, strict=True)
            if any(isinstance(value, str | bool) for value in values)
        }
        conditions = self._read("where", study.where, lambda text: read_condition(text, known))
        self._refuse()
        self.before = {
            number: each for number, each in enumerate(conditions) if {*each.needs} <= {*names}
        }
        self.after = {
            number: each for number, each in enumerate(conditions) if number not in self.before
        }
        self._read("queries", self.texts(self.at(0)), parse)
        self._refuse()

    def _read(self, field: str, texts: list[str], read: Callable[[str], Any]) -> list[Any]:
        """Read the texts of a list; what is wrong with one is noted."""
        found = []
        for number, text in enumerate(texts):
            try:
                found.append(read(text))
            except InvalidInput as error:
                self._problems += error.problems
            except Dsv3calcError as error:
                self._note((field, number), error.message, next=error.hint)
        return found

    def _note(self, path: PathInData, what: str, **more: str) -> None:
        source = self.source
        problem = source.problem(source.position(path), what, path=dotted(path), **more)
        self._problems.append(problem)

    def _refuse(self) -> None:
        if self._problems:
            raise InvalidInput(self._problems)

    def _varied(self) -> list[list[bool]]:
        """Tell for each axis which queries have what it varies; note those that none has.

        What an axis sets of a preset that no query names goes to all of them: they may have it
        without an option.
        """
        found = []
        for path, axis in self._places():
            if axis.option is not None:
                having = [axis.option in each.options | each.arguments for each in self.taken]
                known = sorted({name for each in self.taken for name in each.options})
                hint = "name an option as it is typed, without its dashes, or an argument"
                if not any(having):
                    self._note(
                        (*path, "option"),
                        f"no query has the option {quote(axis.option)}",
                        next=did_you_mean(axis.option, known, hint),
                    )
            else:
                having = self._setting((*path, "set"), axis)
            found.append(having)
        return found

    def _setting(self, path: PathInData, axis: Axis) -> list[bool]:
        """Tell which queries have the presets of which an axis sets fields."""
        try:
            kinds = {each.kind for each in parse_overrides([f"{name}=" for name in axis.fields])}
        except UsageError as error:
            self._note(path, error.message, next=error.hint)
            return []
        having = ["set" in each.options and kinds <= each.kinds for each in self.taken]
        return having if any(having) else [True] * len(having)

    def _places(self) -> Iterator[tuple[PathInData, Axis]]:
        """Yield the axes with their places in the study."""
        for number, group in enumerate(self.study.axes):
            for place, axis in enumerate(group.axes):
                path: PathInData = ("axes", number)
                yield path if group.zip is None else (*path, "zip", place), axis

    def check(self) -> None:
        """Refuse what is wrong at every point, which the first one shows.

        Raises
        ------
        InvalidInput
            If an axis sets a field that there is not, or an output is no line of the queries.
        """
        unknown = self._undeclared()
        fields = any(axis.fields for axis in self.axes)
        arguments = {name for each in self.taken for name in each.arguments}
        named = all(axis.option not in arguments for axis in self.axes)
        if not (unknown or (fields and named)):
            return
        try:
            answers = [self.ask(text) for text in self.texts(self.at(0))]
        except (NoSuchPlace, InvalidOverride) as error:
            if named:  # another model may have the field
                self._note_place(error)
            self._refuse()
            return
        except Dsv3calcError:
            return  # its row will say so
        ledgers = [column.ledger for each in answers for column in each.columns]
        known = {name for ledger in ledgers for name in ledger.named()}
        for name, line in unknown:
            if line not in known:
                self._note(
                    ("outputs", name),
                    f"no answer has the line {quote(line)}",
                    next=did_you_mean(line, sorted(known), "--json prints the names of lines"),
                )
        self._refuse()

    def _undeclared(self) -> list[tuple[str, str]]:
        """Return outputs whose lines are not declared for the commands of the queries."""
        commands = {each.command for each in self.taken}
        found = []
        for name, line in self.study.outputs.items():
            declared = public_line(line)
            if declared is None or commands.isdisjoint(declared.commands):
                found.append((name, line))
        return found

    def _note_place(self, error: NoSuchPlace | InvalidOverride) -> None:
        """Note a field that an axis sets and that there is not; nothing of a wrong value."""
        if isinstance(error, NoSuchPlace):
            told = [(error.message, {"next": error.hint})]
        elif error.unknown:
            told = [
                (f"{each.file}: {each.what}", {"valid": each.valid, "suggestion": each.suggestion})
                for each in error.problems
            ]
        else:
            return
        for what, more in told:
            paths = (
                (*path, "set")
                for path, axis in self._places()
                if any(f"{field}=" in what for field in axis.fields)
            )
            self._note(next(paths, ("axes",)), what, **more)

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

    def lines(self, first: int, stop: int) -> Iterator[str]:
        """Yield points as lines: the row of each as JSON, or what leaves it out.

        Lines of points that are left out before they are asked come together.
        """
        for start in range(first, stop, _TOGETHER):
            points = [self.at(number) for number in range(start, min(start + _TOGETHER, stop))]
            waiting = ""
            for point, place in zip(points, self._left_out(points), strict=True):
                if place is None:
                    yield f"{waiting}{json.dumps(self.row(point))}\n"
                    waiting = ""
                else:
                    waiting += f"{place}\n"
            if waiting:
                yield waiting

    def _left_out(self, points: Sequence[Row]) -> list[int | None]:
        """Return the number of the first condition on axes that each point fails."""
        found: list[int | None] = [None] * len(points)
        for place, condition in self.before.items():
            words = [name for name in condition.needs if name in self.in_words]
            alike: dict[tuple[Value, ...], list[int]] = {}
            for number, point in enumerate(points):
                if found[number] is None:
                    alike.setdefault(tuple(point[name] for name in words), []).append(number)
            for key, numbers in alike.items():
                columns = {
                    name: [points[number][name] for number in numbers] for name in condition.needs
                }
                for number, held in zip(
                    numbers,
                    condition.each(columns | dict(zip(words, key, strict=True)), len(numbers)),
                    strict=True,
                ):
                    if not held:
                        found[number] = place
        return found

    def row(self, point: Row) -> Row | int:
        """Return the row of a point, or the number of the condition that leaves it out."""
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
        for place, condition in self.after.items():
            if not condition.holds(row):
                return place
        return row

    def texts(self, point: Row) -> list[str]:
        """Return the queries of a point in words."""
        axes = [(axis, point[axis.name]) for axis in self.axes]
        return [
            " ".join(
                [
                    text,
                    *(
                        word
                        for having, (axis, value) in zip(self.varied, axes, strict=True)
                        if having[number]
                        for word in _words(axis, value, self.taken[number])
                    ),
                ]
            )
            for number, text in enumerate(self.study.queries)
        ]


def _taken(text: str) -> Taken:
    """Return what the command of a query takes.

    Raises
    ------
    UsageError
        If the text begins with no query.
    """
    words = text.split()
    name = next((each for each in (" ".join(words[:2]), *words[:1]) if each in QUERIES), None)
    if name is None:
        raise UsageError(f"{quote(text)} is no query", f"it begins with {', '.join(QUERIES)}")
    fields = fields_of(struct_of(QUERIES[name])).values()
    return Taken(
        name,
        frozenset(each.flag.removeprefix("--") for each in fields if not each.option.positional),
        frozenset(each.name for each in fields if each.option.positional),
        frozenset(each.option.preset for each in fields if each.option.preset),
    )


def _words(axis: Axis, value: Value, taken: Taken) -> list[str]:
    """Return what a value of an axis adds to a query in words."""
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    if axis.option is None:
        return [word for path in axis.fields for word in ("--set", quoted(f"{path}={shown}"))]
    if axis.option in taken.arguments:
        return [quoted(shown)]
    if value is False:
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
            ledger = column.ledger
            line = next((each for each in ledger.lines if each.name == name), None)
            line = line or ledger.get(name)  # goes through every line
            if line is not None:
                return line.value
    raise UsageError(f"no answer has the line {quote(name)}", "--json prints the names of lines")
