"""A whole composition as one expression: what a line computes, in names left open.

A ledger records how every line follows from others. The expression of a line is built by walking
down from it, running each formula on terms, to the values that were read: those of a chosen place
become names, the others stay numbers. It computes what the query does, exactly.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Line
from dsv3calc.ledger.rules import RULES
from dsv3calc.numbers import ops
from dsv3calc.symbolic.operations import OPERATIONS
from dsv3calc.symbolic.term import Term, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

DEPTH = "model.num_hidden_layers"
_OPEN_END = re.compile(r"model\.groups\.\d+\.layers\.\d+\.stop")


def leaves(lines: Iterable[Line]) -> dict[str, Any]:
    """Return the input values of lines, by the place that they were read from.

    The end of a slice of layers that reaches the last is the model's depth.
    """
    found: dict[str, Any] = {}
    seen: set[int] = set()
    waiting = list(lines)
    while waiting:
        line = waiting.pop()
        if id(line) in seen:
            continue
        seen.add(id(line))
        if line.rule == "given":
            found[line.name] = line.value
        waiting.extend(line.parts)
        for _, value, place in line.arguments:
            if type(value) is Line:
                waiting.append(value)
            elif place:
                found[place] = value
    return found


class Composer:
    """Turns lines into terms; ``named`` gives what stands for a place: a term, or a number.

    ``instead`` gives terms for whole lines: what is composed otherwise.
    """

    def __init__(
        self,
        named: Mapping[str, Any],
        instead: Callable[[Line], Any] = lambda _: None,
        depth: Any = None,
    ) -> None:
        self._named = named
        self.instead = instead
        self._depth = depth
        self._known: dict[int, tuple[Line, Any]] = {}

    def of(self, line: Line) -> Any:
        """Return what a line computes: a term, or its value where nothing in it is named."""
        known = self._known.get(id(line))
        if known is None:
            found = self.instead(line)
            if found is None:
                found = self._composed(line)
            known = self._known[id(line)] = (line, found)
        return known[1]

    def at(self, place: str, value: Any) -> Any:
        """Return the name or the number that replaces an input value."""
        if _OPEN_END.fullmatch(place) and value == self._depth:
            place = DEPTH
        return self._named.get(place, value)

    def _inputs(self, line: Line) -> tuple[list[Any], list[Any]]:
        """Return what a line is computed from now: terms and numbers; and the numbers it was."""
        if line.rule != "formula":
            return [self.of(part) for part in line.parts], [part.value for part in line.parts]
        inputs, before = [], []
        for _, value, place in line.arguments:
            is_line = type(value) is Line
            inputs.append(self.of(value) if is_line else self.at(place, value))
            before.append(value.value if is_line else value)
        return inputs, before

    def _composed(self, line: Line) -> Any:
        if line.rule == "given":
            return self.at(line.name, line.value)
        inputs, before = self._inputs(line)
        if not any(isinstance(each, Term) for each in inputs) and inputs == before:
            return line.value
        if line.rule == "formula":
            assert line.formula is not None  # noqa: S101 - the rule says so
            return line.formula.function(*inputs)
        if line.rule not in RULES:
            raise UsageError(
                f"{line.name} is found by a {line.rule}, not by a closed form",
                "ask for the line that is searched: dsv3calc formula solve finds the largest value"
                if line.rule == "search"
                else "ask for the line beside it that has a closed form",
            )
        return RULES[line.rule].value(inputs)


def compiled(term: Any) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function of the names' values that computes a term, each shared part once.

    >>> term = Term("ceil_div", Term("name", name="tokens"), 64)
    >>> compiled(term)({"tokens": 1000})
    16
    """
    if not isinstance(term, Term):
        return lambda _: term
    lines: list[str] = []

    def noted(text: str) -> str:
        lines.append(f"t{len(lines)} = {text}")
        return f"t{len(lines) - 1}"

    result = fold(
        term,
        lambda name: noted(f"names[{name!r}]"),
        lambda operation, parts: noted(_code(operation).format(*parts)),
        lambda number: f"({number})",
    )
    source = "\n    ".join(["def compute(names):", *lines, f"return {result}"])
    namespace = dict(vars(ops))
    exec(source, namespace)  # noqa: S102 - our own text: operations, numbers and quoted names
    function: Callable[[Mapping[str, Any]], Any] = namespace["compute"]
    return function


def _code(operation: str) -> str:
    row = OPERATIONS[operation]
    return row.code or row.python
