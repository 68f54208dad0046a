"""Exact values of operations, and their derivatives by the chain rule.

``v`` are the exact values of the parts, ``s`` their derivatives.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Slope = Callable[[list[Any], list[Any]], Any]


class NotSmooth(ArithmeticError):
    """A term has a step or a corner where a derivative is asked for."""


def exactly(value: Any) -> Any:
    """Return a number exactly: an integer or a truth as it is, another as a fraction."""
    return value if isinstance(value, int) else _reduced(Fraction(value))


def _reduced(value: Fraction) -> int | Fraction:
    """Return a whole fraction as an integer: its arithmetic is ten times as fast."""
    return value.numerator if value.denominator == 1 else value


def quotient(a: Any, b: Any) -> Any:
    """Return an exact quotient."""
    return _reduced(Fraction(a) / b)


def power(base: Any, exponent: Any) -> Any:
    """Return a power: exact where the exponent is an integer."""
    return exactly(base**exponent if exponent >= 0 else Fraction(base) ** exponent)


def of_floats(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of exact numbers that computes with integers and floats."""
    return lambda *values: exactly(
        function(*(value if isinstance(value, int) else float(value) for value in values))
    )


def product_slope(v: list[Any], s: list[Any]) -> Any:
    """Differentiate a product."""
    return s[0] * v[1] + v[0] * s[1]


def quotient_slope(v: list[Any], s: list[Any]) -> Any:
    """Differentiate a quotient."""
    return quotient(s[0] * v[1] - v[0] * s[1], v[1] * v[1])


def power_slope(v: list[Any], s: list[Any]) -> Any:
    """Differentiate a power with a constant integer exponent."""
    base, exponent = v
    if s[1] or (type(exponent) is Fraction and s[0]):
        raise NotSmooth
    return s[0] and exponent * Fraction(base) ** (exponent - 1) * s[0]


def step_slope(_: list[Any], s: list[Any]) -> int:
    """Differentiate what goes in steps."""
    if any(s):
        raise NotSmooth
    return 0


def comparison_slope(v: list[Any], s: list[Any]) -> int:
    """Differentiate a comparison, which is constant but where both sides are equal."""
    if v[0] == v[1] and s[0] != s[1]:
        raise NotSmooth
    return 0


def maximum_slope(v: list[Any], s: list[Any]) -> Any:
    """Differentiate a maximum: as its larger part."""
    comparison_slope(v, s)
    return s[0 if v[0] >= v[1] else 1]


def minimum_slope(v: list[Any], s: list[Any]) -> Any:
    """Differentiate a minimum: as its smaller part."""
    comparison_slope(v, s)
    return s[1 if v[0] >= v[1] else 0]
