"""Terms as sympy expressions, and back."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from dsv3calc.formulas.registry.glossary import SYMBOLS
from dsv3calc.symbolic.in_sympy import name_of
from dsv3calc.symbolic.operations import OPERATIONS
from dsv3calc.symbolic.term import Term, fold

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_DENOMINATOR = 10**6
"""Fractions with a larger one are shown as the nearest float: they come from floats."""

_OPERATION_OF = {row.sympy_name: name for name, row in OPERATIONS.items() if row.sympy_name}
"""Function of sympy -> operation of terms."""


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
        return fold(term, known.__getitem__, _combined, self.number)

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
        called = name_of(expression)
        operation = _OPERATION_OF.get(called, called)
        parts = expression.args
        if OPERATIONS[operation].brackets and len(parts) == 1:  # the floor of a quotient
            parts = self._sympy.fraction(self._sympy.together(parts[0]))
        parts = [self.term(part) for part in parts]
        if operation in ("maximum", "minimum"):
            return reduce(lambda a, b: Term(operation, a, b), parts)
        return Term(operation, *parts)

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


def _combined(operation: str, parts: list[Any]) -> Any:
    row = OPERATIONS[operation]
    return row.value(*parts) if row.sympy is None else row.sympy(operation, *parts)
