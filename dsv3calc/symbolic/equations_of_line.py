"""A composition as a closed form that can be read: equations, numbers folded exactly.

Sympy adds up like terms; what is no polynomial (a maximum, a whole quotient) stays a function that
sympy does not look into, since its own maxima take seconds. What is long gets a name, that of the
line it is, and an equation of its own.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.ledger.rules import RULES
from dsv3calc.symbolic.algebra import Algebra
from dsv3calc.symbolic.term import Term, names_in, record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.ledger.line import Line
    from dsv3calc.symbolic.from_ledger import Composer

LONGEST = 9
"""Operations that an expression has before it gets a name and an equation."""

LONGEST_COUNT = 3
"""The same for what counts something by maxima or whole quotients, such as layers of a stage, and
for what is compared."""


class Equation:
    """One equation of a closed form: the line it gives, and its right-hand side as a term."""

    __slots__ = ("line", "name", "term", "unit")

    def __init__(self, name: str, term: Any, unit: str) -> None:
        self.name = name
        self.term = term
        self.unit = unit


class ClosedForm:
    """The equations of one line, each with a name, after those that it depends on.

    Parameters
    ----------
    composer
        Says which values are left open, and composes.
    integers
        Name that is left open -> whether it is an integer.
    whole
        Leave all in one equation, however long.
    """

    def __init__(
        self, composer: Composer, integers: Mapping[str, bool], *, whole: bool = False
    ) -> None:
        self.algebra = Algebra(integers)
        self._whole = whole
        self.equations: list[Equation] = []
        self._composer = composer
        self._known: dict[int, tuple[Line, Any]] = {}
        self._named: dict[Any, Any] = {}
        self._compared: set[int] = set()  # what a maximum is taken over is told by name

    def of(self, line: Line) -> Any:
        """Return the expression of a line, in the names left open and those of equations."""
        known = self._known.get(id(line))
        if known is None:
            known = self._known[id(line)] = (line, self._short(line, self._expression(line)))
        return known[1]

    def close(self, line: Line, name: str = "") -> Any:
        """Return the right-hand side of a line as a term, giving it the last equation."""
        term = self.algebra.term(self._expression(line))
        self.equations.append(Equation(name or line.name, term, line.unit))
        return term

    def _short(self, line: Line, expression: Any) -> Any:
        """Return an expression, or the name of its equation where it is long."""
        algebra = self.algebra
        if self._whole:
            return expression
        counts = line.unit == "1" and line.rule != "given" and algebra.has_function(expression)
        short = counts or id(line) in self._compared
        if algebra.size(expression) <= (LONGEST_COUNT if short else LONGEST):
            return expression
        if expression not in self._named:
            name = line.name
            while any(each.name == name for each in self.equations):
                name += "_"
            self.equations.append(Equation(name, algebra.term(expression), line.unit))
            self._named[expression] = algebra.symbol(name)
        return self._named[expression]

    def _expression(self, line: Line) -> Any:
        algebra = self.algebra
        if not isinstance(self._composer.of(line), Term):
            return algebra.number(self._composer.of(line))
        if line.rule == "given":
            return self._of_term(self._composer.of(line))
        inputs = [self._input(each) for each in self._inputs(line)]
        names, term = _recorded(line, len(inputs))
        return algebra.simpler(algebra.evaluated(term, dict(zip(names, inputs, strict=True))))

    def _inputs(self, line: Line) -> list[Any]:
        if line.rule in ("maximum", "at_largest"):
            self._compared.update(id(part) for part in line.parts)
        if line.rule != "formula":
            return list(line.parts)
        return [
            value if hasattr(value, "rule") else self._composer.at(place, value)
            for _, value, place in line.arguments
        ]

    def _input(self, each: Any) -> Any:
        return self.of(each) if hasattr(each, "rule") else self._of_term(each)

    def _of_term(self, term: Any) -> Any:
        symbols = {name: self.algebra.symbol(name) for name in names_in(term)}
        return self.algebra.evaluated(term, symbols)


def _recorded(line: Line, count: int) -> tuple[Sequence[str], Any]:
    """Return names for what a line is computed from, and its formula or rule as a term of them."""
    if line.formula is not None:
        return line.formula.parameters, record(line.formula.function)[0]
    names = [str(place) for place in range(count)]
    return names, RULES[line.rule].value([Term("name", name=name) for name in names])
