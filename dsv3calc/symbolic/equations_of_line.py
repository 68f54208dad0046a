"""A composition as a closed form that can be read: equations, numbers folded exactly.

Sympy adds up like terms; what is no polynomial (a maximum, a whole quotient) stays a function that
sympy does not look into, since its own maxima take seconds. What is long gets a name, that of the
line it is, and an equation of its own.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache, reduce
from typing import TYPE_CHECKING, Any

from dsv3calc.formulas.registry.glossary import SYMBOLS
from dsv3calc.ledger.line import RULES
from dsv3calc.symbolic.term import Term, record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dsv3calc.ledger.line import Line
    from dsv3calc.symbolic.from_ledger import Composer

LONGEST = 9
"""Operations that an expression has before it gets a name and an equation."""

LONGEST_COUNT = 3
"""The same for what counts something by maxima or whole quotients, such as layers of a stage, and
for what is compared."""

_ROUNDED = {"floor": "floor_div", "ceiling": "ceil_div"}
_EXTREMES = {"Max": "maximum", "Min": "minimum"}
"""Functions of sympy itself -> operations of terms."""

LARGEST_DENOMINATOR = 10**6
"""Fractions with a larger one are shown as the nearest float: they come from floats."""


class Equation:
    """One equation of a closed form: the line it gives, and its right-hand side as a term."""

    __slots__ = ("line", "name", "term", "unit")

    def __init__(self, name: str, term: Any, unit: str) -> None:
        self.name = name
        self.term = term
        self.unit = unit


class Algebra:
    """Terms as sympy expressions and back."""

    def __init__(self, integers: Mapping[str, bool]) -> None:
        import sympy

        self._sympy = sympy
        self._integers = integers

    def symbol(self, name: str) -> Any:
        """Return the symbol of a name."""
        known = SYMBOLS.get(name.rpartition(".")[2])
        least = known.least if known is not None and name in self._integers else 0
        kind = {"positive": True} if least else {"nonnegative": True}
        integer = self._integers.get(name, False)
        return self._sympy.Symbol(name, **kind, **({"integer": True} if integer else {}))

    def number(self, value: Any) -> Any:
        """Return a number exactly: a float is the decimal that it is written as."""
        if isinstance(value, float):
            return self._sympy.Rational(str(value))
        return self._sympy.Integer(value)

    def evaluated(self, term: Any, known: Mapping[str, Any]) -> Any:
        """Return a term as an expression, its names replaced."""
        if not isinstance(term, Term):
            return self.number(term)
        if term.operation == "name":
            return known[term.name]
        return self.combined(term.operation, [self.evaluated(part, known) for part in term.parts])

    def combined(self, operation: str, parts: list[Any]) -> Any:
        """Return an operation on expressions."""
        if operation == "neg":
            return -parts[0]
        a, b = parts[0], parts[1]
        if operation in ("+", "-"):
            return a + b if operation == "+" else a - b
        if operation in ("*", "/"):
            return a * b if operation == "*" else a / b
        if operation == "**":
            return a**b if b.is_Integer else self._function_of("power", [a, b])
        return self._function(operation, parts)

    def _function(self, operation: str, parts: list[Any]) -> Any:
        if operation in ("maximum", "minimum"):
            return self._extreme(operation, *parts)
        if operation in ("floor_div", "ceil_div"):
            return self._whole(operation, *parts)
        if operation in ("<", "<=", ">", ">="):
            difference = parts[0] - parts[1]
            if difference.is_Rational:
                holds = {"<": difference < 0, "<=": difference <= 0,
                         ">": difference > 0, ">=": difference >= 0}  # fmt: skip
                return self._sympy.Integer(int(bool(holds[operation])))
        elif operation == "where" and parts[0].is_Integer:
            return parts[1] if parts[0] else parts[2]
        elif operation == "binomial" and all(part.is_Integer for part in parts):
            return self._sympy.binomial(*parts)
        return self._function_of(operation, parts)

    def _function_of(self, operation: str, parts: list[Any], **known: bool) -> Any:
        """Return a function that sympy does not look into, with what is known of its value."""
        integer = operation in ("floor_div", "ceil_div", "<", "<=", ">", ">=") or all(
            part.is_integer for part in (parts[1:] if operation == "where" else parts)
        )
        known = {name: True for name, holds in known.items() if holds}
        if integer:
            known["integer"] = True
        return self._sympy.Function(operation, **known)(*parts)

    def _extreme(self, operation: str, a: Any, b: Any) -> Any:
        """Return the larger or smaller of two, where it is plain which."""
        larger = operation == "maximum"
        difference = a - b
        if difference.is_nonnegative:
            return a if larger else b
        if difference.is_nonpositive:
            return b if larger else a
        other = "minimum" if larger else "maximum"
        for one, two in ((a, b), (b, a)):
            if name_of(two) == other and one in two.args:
                return one  # max(a, min(a, b)) is a
        parts: list[Any] = []
        for each in (a, b):
            parts += each.args if name_of(each) == operation else [each]
        parts = list(dict.fromkeys(parts))
        bounds = [part for part in parts if part.is_Rational]
        parts = [part for part in parts if not part.is_Rational]
        if bounds:  # the bound that matters stands last
            parts.append(max(bounds) if larger else min(bounds))
        some = any if larger else all
        nonnegative = some(part.is_nonnegative for part in parts)
        return self._function_of(operation, parts, nonnegative=nonnegative)

    def _whole(self, operation: str, a: Any, b: Any) -> Any:
        """Return a quotient without its rest, common numbers cancelled."""
        quotient = a / b
        if quotient.is_Rational:
            whole = self._sympy.floor if operation == "floor_div" else self._sympy.ceiling
            return whole(quotient)
        if quotient.is_integer:
            return quotient
        parts = list(self._sympy.fraction(self._sympy.together(quotient)))
        if parts[1] == 1:
            parts = [a, b]
        return self._function_of(operation, parts, nonnegative=bool(quotient.is_nonnegative))

    def simpler(self, expression: Any) -> Any:
        """Return the shorter of an expression and its expansion."""
        expanded = self._sympy.expand(expression)
        return min((expression, expanded), key=self.size)

    def size(self, expression: Any) -> int:
        """Return how many operations an expression has."""
        return int(expression.count_ops())

    def has_function(self, expression: Any) -> bool:
        """Tell whether an expression is more than a polynomial."""
        return bool(expression.has(self._sympy.core.function.AppliedUndef))

    # --- back to terms

    def term(self, expression: Any) -> Any:
        """Return an expression as a term, in the order in which it is read."""
        if expression.is_Rational:
            return self._fraction(int(expression.p), int(expression.q))
        if expression.is_Symbol:
            return Term("name", name=expression.name)
        for kind, write in (
            ("is_Add", self._sum), ("is_Mul", self._product), ("is_Pow", self._power)
        ):  # fmt: skip
            if getattr(expression, kind):
                return write(expression)
        operation = name_of(expression)
        if operation in _ROUNDED:
            above, below = self._sympy.fraction(self._sympy.together(expression.args[0]))
            return Term(_ROUNDED[operation], self.term(above), self.term(below))
        parts = [self.term(part) for part in expression.args]
        operation = _EXTREMES.get(operation, operation)
        if operation in ("maximum", "minimum"):
            return reduce(lambda a, b: Term(operation, a, b), parts)
        return Term("**" if operation == "power" else operation, *parts)

    @staticmethod
    def _fraction(p: int, q: int) -> Any:
        if q == 1:
            return p
        return p / q if q > LARGEST_DENOMINATOR else Term("/", p, q)

    def _sum(self, expression: Any) -> Any:
        found: Any = None
        constant, rest = expression.as_coeff_Add()
        parts = [*rest.as_ordered_terms(), *([constant] if constant else [])]
        # what is subtracted does not come first, where something is added
        parts.sort(key=lambda part: part.could_extract_minus_sign())
        for part in parts:
            if found is None:
                found = self.term(part)
            elif part.could_extract_minus_sign():
                found = Term("-", found, self.term(-part))
            else:
                found = Term("+", found, self.term(part))
        return found

    def _product(self, expression: Any) -> Any:
        factor, rest = expression.as_coeff_Mul()
        if factor.q > LARGEST_DENOMINATOR:
            above, below = self._sympy.fraction(rest)
            number = factor.p / factor.q
            if above == 1:
                return Term("/", number, self.term(below))
            term = Term("*", number, self.term(above))
            return term if below == 1 else Term("/", term, self.term(below))
        above, below = self._sympy.fraction(expression)
        if below != 1:
            return Term("/", self.term(above), self.term(below))
        found: Any = None
        for factor in expression.as_ordered_factors():
            term = self.term(factor)
            found = term if found is None else Term("*", found, term)
        return found

    def _power(self, expression: Any) -> Any:
        base, exponent = expression.args
        if exponent.is_negative:
            below = self.term(base**-exponent)
            return Term("/", 1, below)
        return Term("**", self.term(base), self.term(exponent))


def name_of(expression: Any) -> str:
    """Return the name of a function that sympy does not look into, else the operation's."""
    return str(expression.func.__name__)


@cache
def _recorded(function: Callable[..., Any]) -> Any:
    return record(function)[0]


class ClosedForm:
    """The equations of one line, each with a name after those that it stands on.

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
        if line.rule == "formula":
            assert line.formula is not None  # noqa: S101 - the rule says so
            parameters = dict(zip(line.formula.parameters, inputs, strict=True))
            found = algebra.evaluated(_recorded(line.formula.function), parameters)
        else:
            found = self._combined(line.rule, inputs)
        return algebra.simpler(found)

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
        from dsv3calc.symbolic.from_ledger import names_in

        symbols = {name: self.algebra.symbol(name) for name in names_in(term)}
        return self.algebra.evaluated(term, symbols)

    def _combined(self, rule: str, inputs: list[Any]) -> Any:
        if rule == "maximum":
            found = inputs[0]
            for each in inputs[1:]:
                found = self.algebra.combined("maximum", [found, each])
            return found
        if rule == "at_largest":
            middle = len(inputs) // 2
            largest, found = inputs[0], inputs[middle]
            for key, value in zip(inputs[1:middle], inputs[middle + 1 :], strict=True):
                above = self.algebra.combined(">", [key, largest])
                found = self.algebra.combined("where", [above, value, found])
                largest = self.algebra.combined("maximum", [largest, key])
            return found
        if rule == "ratio":
            return inputs[0] / inputs[1]
        return RULES[rule](inputs)
