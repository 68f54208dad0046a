"""Arithmetic that runs on Python ints, numpy arrays, sympy symbols and recorded terms alike.

A formula uses these instead of ``max``, ``//`` and ``if`` on values, so that one function is the
exact integer answer, a million layouts at once, and the closed form. Ints are answered first.
Other arguments say what computes with them: an object in their ``__dsv3calc_ops__``, with a
function for each operation; else :mod:`~dsv3calc.numbers.in_sympy` for what has ``free_symbols``,
and :mod:`~dsv3calc.numbers.in_numpy` for what has ``__array_priority__``. Neither numpy nor sympy
is imported unless an argument comes from it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PLAIN = frozenset({int, float, bool})


def _arithmetic(*values: Any) -> Any:
    """Return what computes with such values: an object with operations; None for plain numbers."""
    for value in values:
        if type(value) in _PLAIN:
            continue
        kind = type(value)
        own = getattr(kind, "__dsv3calc_ops__", None)
        if own is not None:
            return own
        if hasattr(kind, "free_symbols"):  # of an expression, to look for them takes a while
            from dsv3calc.numbers import in_sympy

            return in_sympy
        if hasattr(kind, "__array_priority__"):
            from dsv3calc.numbers import in_numpy

            return in_numpy
    return None


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of two values, elementwise for arrays.

    >>> maximum(3, 5)
    5
    """
    if type(a) is int and type(b) is int:
        return a if a > b else b  # noqa: FURB136 - thrice as fast as max(), and asked often
    kind = _arithmetic(a, b)
    return kind.maximum(a, b) if kind else max(a, b)


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller of two values, elementwise for arrays.

    >>> minimum(3, 5)
    3
    """
    if type(a) is int and type(b) is int:
        return a if a < b else b  # noqa: FURB136 - as in maximum
    kind = _arithmetic(a, b)
    return kind.minimum(a, b) if kind else min(a, b)


def exceeds(a: Any, b: Any) -> Any:
    """Tell whether ``a`` is larger than ``b``: a condition of :func:`where`.

    >>> exceeds(5, 3)
    True
    """
    kind = _arithmetic(a, b)
    return kind.exceeds(a, b) if kind else a > b


def clip(value: Any, low: Any, high: Any) -> Any:
    """Return ``value`` held between ``low`` and ``high``.

    >>> clip(7, 0, 5)
    5
    """
    return minimum(maximum(value, low), high)


def floor_div(a: Any, b: Any) -> Any:
    """Return the floor of ``a / b``.

    >>> floor_div(7, 2)
    3
    """
    if type(a) is int and type(b) is int:
        return a // b
    kind = _arithmetic(a, b)
    return kind.floor_div(a, b) if kind else _whole(a // b)


def _whole(value: Any) -> Any:
    """Return a whole float as the integer that it is, and the rest as it is."""
    return int(value) if type(value) is float and math.isfinite(value) else value


def ceil_div(a: Any, b: Any) -> Any:
    """Return the ceiling of ``a / b``: how many blocks of ``b`` hold ``a``.

    >>> ceil_div(576, 128)
    5
    """
    if type(a) is int and type(b) is int:
        return -(-a // b)
    kind = _arithmetic(a, b)
    return kind.ceil_div(a, b) if kind else _whole(-(-a // b))


def exact_div(a: Any, b: Any) -> Any:
    """Return ``a / b`` where the quotient is known to be an integer.

    Raises
    ------
    ArithmeticError
        If two integers do not divide: the caller's promise was wrong.

    >>> exact_div(4096 * 4097, 2)
    8390656
    """
    if type(a) is int and type(b) is int:
        quotient, remainder = divmod(a, b)
        if remainder:
            raise ArithmeticError(f"{a} is not a multiple of {b}")
        return quotient
    return ratio(a, b)


def ratio(a: Any, b: Any) -> Any:
    """Return ``a / b``: an int where two integers divide exactly, else the nearest float.

    >>> ratio(12, 4), ratio(1, 4)
    (3, 0.25)
    """
    if type(a) is int and type(b) is int and not a % b:
        return a // b
    kind = _arithmetic(a, b)
    return kind.ratio(a, b) if kind else a / b


def is_nothing(value: Any) -> bool:
    """Tell whether a number is 0; of a column, whether it is 0 in every row.

    >>> is_nothing(0), is_nothing(0.5)
    (True, False)
    """
    return not (value.any() if hasattr(value, "any") else value)


def where(condition: Any, a: Any, b: Any) -> Any:
    """Return ``a`` where ``condition`` holds, else ``b``.

    >>> where(exceeds(3, 2), "yes", "no")
    'yes'
    """
    if condition is True or condition is False:
        return a if condition else b
    kind = _arithmetic(condition)
    if kind:
        return kind.where(condition, a, b)
    return a if condition else b


def lookup(table: Sequence[int], index: Any) -> Any:
    """Return the entry of a table at an index: of a list that a preset gives, by stage.

    >>> lookup([4, 4, 3], 2)
    3
    """
    kind = _arithmetic(index)
    return kind.lookup(table, index) if kind else table[int(index)]


def binomial(n: Any, k: Any) -> Any:
    """Return in how many ways ``k`` of ``n`` things are chosen; exact, also inside arrays.

    >>> binomial(256, 8)
    409663695276000
    """
    if type(n) is int and type(k) is int:
        return math.comb(n, k)
    kind = _arithmetic(n, k)
    return kind.binomial(n, k) if kind else math.comb(int(n), int(k))


def binomial_ratio(part: Any, n: Any, k: Any) -> Any:
    """Return ``binomial(part, k) / binomial(n, k)``, neither of which need fit in a float.

    >>> binomial_ratio(3, 4, 2)
    0.5
    """
    if type(part) is int and type(n) is int and type(k) is int:
        return _integer_binomial_ratio(part, n, k)
    elementwise = getattr(_arithmetic(part, n, k), "elementwise", None)
    if elementwise:
        return elementwise(_integer_binomial_ratio, part, n, k)
    return ratio(binomial(part, k), binomial(n, k))


def elementwise(function: Callable[..., Any], *values: Any) -> Any:
    """Return what a function of integers gives, for each element of arrays.

    >>> elementwise(math.comb, 4, 2)
    6
    """
    kind = _arithmetic(*values)
    return kind.elementwise(function, *values) if kind else function(*values)


def apply(function: Callable[..., Any], *values: Any, symbolic: Any) -> Any:
    """Return what a function of numbers or whole arrays gives; it is one operation of a record.

    ``symbolic`` takes its place where a value is a symbol.

    >>> apply(math.gcd, 4, 6, symbolic=1)
    2
    """
    kind = _arithmetic(*values)
    if kind is None:
        return function(*values)
    own = getattr(kind, "apply", None)
    return own(function, *values) if own else symbolic


def _integer_binomial_ratio(part: int, n: int, k: int) -> Any:
    """Divide products of as many factors as the smaller of k and n - part, of k in both."""
    if not 0 <= n - part <= n or k > n:
        return ratio(math.comb(part, k), math.comb(n, k))
    if part < k:
        return 0
    few, many = sorted((k, n - part))
    if few and many < n and few * math.log1p(-many / n) < _UNDERFLOW:
        return 0.0  # it is at most (1 - many / n) ** few
    return ratio(math.perm(n - many, few), math.perm(n, few))


_UNDERFLOW = -750
"""The logarithm of a number that is 0 as a float."""
