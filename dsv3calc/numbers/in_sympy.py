"""The operations of :mod:`dsv3calc.numbers.ops` on sympy expressions.

Sympy compares what it is to round or to choose from, which takes minutes where maxima and cases
stand in each other, as in the memory of a rank. Such operations are left as they are written; with
numbers in place of the symbols (``subs``, ``xreplace``) they have values.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy
from sympy.functions.elementary.piecewise import ExprCondPair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

binomial = sympy.binomial


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of two values."""
    return _written(sympy.Max, a, b)


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller of two values."""
    return _written(sympy.Min, a, b)


def exceeds(a: Any, b: Any) -> Any:
    """Tell whether ``a`` is larger."""
    return _written(sympy.StrictGreaterThan, a, b)


def floor_div(a: Any, b: Any) -> Any:
    """Return the floor of ``a / b``."""
    return _written(sympy.floor, ratio(a, b))


def ceil_div(a: Any, b: Any) -> Any:
    """Return the ceiling of ``a / b``."""
    return _written(sympy.ceiling, ratio(a, b))


def ratio(a: Any, b: Any) -> Any:
    """Return ``a / b``."""
    return sympy.sympify(a) / b


def where(condition: Any, a: Any, b: Any) -> Any:
    """Return ``a`` where ``condition`` holds, else ``b``."""
    return _cases((a, condition), (b, True))


def lookup(table: Sequence[int], index: Any) -> Any:
    """Return the entry of a table at an index."""
    *cases, last = [(entry, sympy.Eq(index, place)) for place, entry in enumerate(table)]
    return _cases(*cases, (last[0], True))


_CHOICES = (sympy.Max, sympy.Min, sympy.Piecewise, sympy.floor, sympy.ceiling)
"""What makes a comparison slow."""


def _written(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return a function of arguments, as it is written where they have choices in them."""
    given = [sympy.sympify(argument) for argument in arguments]
    return function(*given, evaluate=not any(argument.has(*_CHOICES) for argument in given))


def _cases(*cases: tuple[Any, Any]) -> Any:
    """Return the first of some values whose condition holds.

    The constructors of sympy move cases out of conditions, which takes minutes, and some of what
    they make on the way is nan, which their maxima refuse. So they are not called.
    """
    pairs = [(sympy.sympify(value), sympy.sympify(holds)) for value, holds in cases]
    pairs = [pair for pair in pairs if pair[1] is not sympy.false]
    if pairs[0][1] is sympy.true:
        return pairs[0][0]
    new = sympy.Basic.__new__
    return new(sympy.Piecewise, *(new(ExprCondPair, *pair) for pair in pairs))
