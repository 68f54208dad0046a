"""Operations of terms as sympy expressions: folded where the result is plain, else not looked into.

What is no polynomial (a maximum, a whole quotient) becomes a function without a definition, since
sympy's own maxima take seconds.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any


def opaque(operation: str, *parts: Any, **known: bool) -> Any:
    """Return a function that sympy does not look into, with what is known of its value.

    It is an integer where its parts are, if nothing else is said.
    """
    import sympy

    known.setdefault("integer", all(part.is_integer for part in parts))
    return sympy.Function(operation, **{name: True for name, holds in known.items() if holds})(
        *parts
    )


def power(_: str, base: Any, exponent: Any) -> Any:
    """Return a power, with an exponent in symbols as a function."""
    return base**exponent if exponent.is_Integer else opaque("power", base, exponent)


def comparison(operation: str, a: Any, b: Any) -> Any:
    """Return 1 or 0 where a comparison is of numbers."""
    import sympy

    difference = a - b
    if not difference.is_Rational:
        return opaque(operation, a, b, integer=True)
    holds = {"<": difference < 0, "<=": difference <= 0,
             ">": difference > 0, ">=": difference >= 0}  # fmt: skip
    return sympy.Integer(int(bool(holds[operation])))


def where(operation: str, condition: Any, a: Any, b: Any) -> Any:
    """Return what a condition chooses, where it is a number."""
    if condition.is_Integer:
        return a if condition else b
    return opaque(operation, condition, a, b, integer=bool(a.is_integer and b.is_integer))


def binomial(operation: str, n: Any, k: Any) -> Any:
    """Return a binomial coefficient, of integers its value."""
    import sympy

    return sympy.binomial(n, k) if n.is_Integer and k.is_Integer else opaque(operation, n, k)


def extreme(operation: str, a: Any, b: Any) -> Any:
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
    return opaque(operation, *parts, nonnegative=nonnegative)


def rounded(operation: str, a: Any, b: Any) -> Any:
    """Return a quotient without its rest, common numbers cancelled."""
    import sympy

    quotient = a / b
    if quotient.is_Rational:
        return (sympy.floor if operation == "floor_div" else sympy.ceiling)(quotient)
    if quotient.is_integer:
        return quotient
    parts = list(sympy.fraction(sympy.together(quotient)))
    if parts[1] == 1:
        parts = [a, b]
    nonnegative = bool(quotient.is_nonnegative)
    return opaque(operation, *parts, integer=True, nonnegative=nonnegative)


def name_of(expression: Any) -> str:
    """Return the name of a function that sympy does not look into, else the operation's."""
    return str(expression.func.__name__)
