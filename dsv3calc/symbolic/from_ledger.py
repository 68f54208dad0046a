"""A whole composition as one expression: what a line computes, in names left open.

A ledger says of every line how it follows from others. So the expression of a line is had by
walking down from it, each formula run on terms, to the values that were read: those of a chosen
place become names, the others stay numbers. It computes what the query does, exactly.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import RULES, Line
from dsv3calc.numbers import ops
from dsv3calc.symbolic.printer import PYTHON, render
from dsv3calc.symbolic.term import OPERATIONS, Term, applied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

DEPTH = "model.num_hidden_layers"
_OPEN_END = re.compile(r"model\.groups\.\d+\.layers\.\d+\.stop")


def leaves(lines: Iterable[Line]) -> dict[str, Any]:
    """Return the values that lines stand on, by the place that they were read from.

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
        """Return what stands for a value that was read."""
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
        numbers = not any(isinstance(each, Term) for each in inputs)
        if numbers and inputs == before:
            return line.value
        if line.rule == "formula":
            assert line.formula is not None  # noqa: S101 - the rule says so
            return applied(line.formula.function, *inputs)
        if line.rule not in RULES:
            raise UsageError(
                f"{line.name} is found by a {line.rule}, not by a closed form",
                "ask for what it searches in: dsv3calc formula solve finds the largest value",
            )
        return RULES[line.rule](inputs) if numbers else combined_terms(line.rule, inputs)


def combined_terms(rule: str, inputs: Sequence[Any]) -> Any:
    """Return what a rule of the ledger makes of terms."""
    return _RULES[rule](inputs)


def _at_largest(inputs: Sequence[Any]) -> Any:
    middle = len(inputs) // 2
    largest, found = inputs[0], inputs[middle]
    for key, value in zip(inputs[1:middle], inputs[middle + 1 :], strict=True):
        found = _operation("where", _operation(">", key, largest), value, found)
        largest = _operation("maximum", largest, key)
    return found


def _operation(name: str, *inputs: Any) -> Any:
    """Return an operation on terms, or on numbers what it gives."""
    if any(isinstance(each, Term) for each in inputs):
        return Term(name, *inputs)
    return OPERATIONS[name](*inputs)


def _sum(inputs: Sequence[Any]) -> Any:
    return _reduced("+", [each for each in inputs if not _is(each, 0)] or [0])


def _product(inputs: Sequence[Any]) -> Any:
    if any(_is(each, 0) for each in inputs):
        return 0
    return _reduced("*", [each for each in inputs if not _is(each, 1)] or [1])


def _sum_of_products(inputs: Sequence[Any]) -> Any:
    return _sum([_product(pair) for pair in zip(inputs[::2], inputs[1::2], strict=True)])


def _is(each: Any, number: int) -> bool:
    """Tell whether a term is an integer: a float may not be left out, it makes others floats."""
    return type(each) is int and each == number


def _reduced(operation: str, inputs: Sequence[Any]) -> Any:
    found = inputs[0]
    for each in inputs[1:]:
        found = _operation(operation, found, each)
    return found


_RULES: dict[str, Callable[[Sequence[Any]], Any]] = {
    "sum": _sum,
    "product": _product,
    "sum_of_products": _sum_of_products,
    "at_largest": _at_largest,
    "maximum": lambda inputs: _reduced("maximum", list(dict.fromkeys(inputs))),
    "difference": lambda inputs: _reduced("-", inputs),
    "ratio": lambda inputs: _reduced("/", inputs),
}
"""Rule of the ledger -> what it makes of terms; a test holds it to :data:`ledger.RULES`."""


def compiled(term: Any) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function of the names' values that computes a term, each shared part once.

    >>> term = Term("ceil_div", Term("name", name="tokens"), 64)
    >>> compiled(term)({"tokens": 1000})
    16
    """
    if not isinstance(term, Term):
        return lambda _: term
    lines, result = _program(term)
    source = "\n    ".join(["def compute(names):", *lines, f"return {result}"])
    namespace: dict[str, Any] = {
        name: getattr(ops, name)
        for name in ("maximum", "minimum", "floor_div", "ceil_div", "binomial", "ratio", "where")
    }
    exec(source, namespace)  # noqa: S102 - our own text: operations, numbers and quoted names
    function: Callable[[Mapping[str, Any]], Any] = namespace["compute"]
    return function


_IN_PYTHON = {"/": "ratio({}, {})", "neg": "-{}", "**": "{} ** {}"}


def _program(term: Term) -> tuple[list[str], str]:
    """Return assignments, parts first, and the name of the result."""
    known: dict[int, str] = {}
    lines: list[str] = []
    waiting: list[tuple[Term, bool]] = [(term, False)]
    while waiting:
        each, ready = waiting.pop()
        if id(each) in known:
            continue
        if not ready:
            waiting.append((each, True))
            waiting.extend((part, False) for part in each.parts if isinstance(part, Term))
            continue
        known[id(each)] = variable = f"t{len(known)}"
        if each.operation == "name":
            lines.append(f"{variable} = names[{each.name!r}]")
            continue
        parts = [
            known[id(part)] if isinstance(part, Term) else _number(part) for part in each.parts
        ]
        form = _IN_PYTHON.get(each.operation) or PYTHON.forms.get(each.operation, "{} * {}")
        lines.append(f"{variable} = {form.format(*parts)}")
    return lines, known[id(term)]


def _number(value: Any) -> str:
    return f"({render(value, PYTHON)})"


def names_in(term: Any) -> set[str]:
    """Return the names that a term has."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [term]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, Term) or id(each) in seen:
            continue
        seen.add(id(each))
        if each.operation == "name":
            found.add(each.name)
        waiting.extend(each.parts)
    return found
