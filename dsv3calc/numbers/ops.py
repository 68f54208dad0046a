"""Arithmetic that runs on Python ints, numpy arrays and sympy symbols alike.

A formula uses these instead of ``max``, ``//`` tricks and ``if`` on values, so that one function
is the exact integer answer, a million layouts at once, and the closed form. Neither numpy nor
sympy is imported unless an argument already comes from it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def _is_symbolic(a: Any, b: Any = 0, c: Any = 0) -> bool:
    # written out: a generator would cost more than the arithmetic
    return hasattr(a, "free_symbols") or hasattr(b, "free_symbols") or hasattr(c, "free_symbols")


def _is_array(a: Any, b: Any = 0, c: Any = 0) -> bool:
    return (
        hasattr(a, "__array_priority__")
        or hasattr(b, "__array_priority__")
        or hasattr(c, "__array_priority__")
    )


def _is_float_array(a: Any, b: Any) -> bool:
    return any(getattr(getattr(value, "dtype", None), "kind", "") == "f" for value in (a, b))


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of two values, elementwise for arrays.

    >>> maximum(3, 5)
    5
    """
    if type(a) is int and type(b) is int:
        return a if a > b else b  # noqa: FURB136 - thrice as fast as max(), and asked often
    if _is_symbolic(a, b):
        import sympy

        return sympy.Max(a, b)
    if _is_array(a, b):
        import numpy as np

        return np.maximum(a, b)
    return max(a, b)


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller of two values, elementwise for arrays.

    >>> minimum(3, 5)
    3
    """
    if type(a) is int and type(b) is int:
        return a if a < b else b  # noqa: FURB136 - as in maximum
    if _is_symbolic(a, b):
        import sympy

        return sympy.Min(a, b)
    if _is_array(a, b):
        import numpy as np

        return np.minimum(a, b)
    return min(a, b)


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
    if _is_symbolic(a, b):
        import sympy

        return sympy.floor(sympy.sympify(a) / b)
    if _is_float_array(a, b):
        import numpy as np

        # Exact for whole numbers below 2^53, and ten times as fast as //. A quotient of such that
        # is not whole is at least 1/b away from one; rounding moves it by less: (a/b) / 2^53 < 1/b.
        return np.floor(a / b)
    return _whole(a // b)


def _whole(value: Any) -> Any:
    """Return a whole float as the integer that it is; arrays and the rest as they are."""
    return int(value) if type(value) is float and math.isfinite(value) else value


def ceil_div(a: Any, b: Any) -> Any:
    """Return the ceiling of ``a / b``: how many blocks of ``b`` hold ``a``.

    >>> ceil_div(576, 128)
    5
    """
    if type(a) is int and type(b) is int:
        return -(-a // b)
    if _is_symbolic(a, b):
        import sympy

        return sympy.ceiling(sympy.sympify(a) / b)
    if _is_float_array(a, b):
        import numpy as np

        return np.ceil(a / b)  # exact as in floor_div
    return _whole(-(-a // b))


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
    if _is_symbolic(a, b):
        import sympy

        return sympy.sympify(a) / b
    return a / b


def where(condition: Any, a: Any, b: Any) -> Any:
    """Return ``a`` where ``condition`` holds, else ``b``.

    >>> where(3 > 2, "yes", "no")
    'yes'
    """
    if condition is True or condition is False:
        return a if condition else b
    if _is_symbolic(condition, a, b):
        import sympy

        return sympy.Piecewise((a, condition), (b, True))
    if _is_array(condition):
        import numpy as np

        return np.where(condition, np.asarray(a, np.float64), np.asarray(b, np.float64))
    return a if condition else b


def lookup(table: Sequence[int], index: Any) -> Any:
    """Return the entry of a table at an index: of a list that a preset gives, by stage.

    >>> lookup([4, 4, 3], 2)
    3
    """
    if _is_symbolic(index):
        import sympy

        *cases, last = [(entry, sympy.Eq(index, place)) for place, entry in enumerate(table)]
        return sympy.Piecewise(*cases, (last[0], True))
    if _is_array(index):
        import numpy as np

        return np.asarray(table, dtype=np.float64)[np.asarray(index).astype(np.intp)]
    return table[int(index)]


def binomial(n: Any, k: Any) -> Any:
    """Return in how many ways ``k`` of ``n`` things are chosen; exact, also inside arrays.

    >>> binomial(256, 8)
    409663695276000
    """
    if type(n) is int and type(k) is int:
        return math.comb(n, k)
    if _is_symbolic(n, k):
        import sympy

        return sympy.binomial(n, k)
    if _is_array(n, k):
        import numpy as np

        count = np.frompyfunc(lambda total, chosen: math.comb(int(total), int(chosen)), 2, 1)
        return np.asarray(count(n, k)).astype(np.float64)
    return math.comb(int(n), int(k))


def binomial_ratio(part: Any, n: Any, k: Any) -> Any:
    """Return ``binomial(part, k) / binomial(n, k)``, neither of which need fit in a float.

    >>> binomial_ratio(3, 4, 2)
    0.5
    """
    if _is_array(part, n, k):
        import numpy as np

        share = np.frompyfunc(
            lambda part, n, k: _integer_binomial_ratio(int(part), int(n), int(k)), 3, 1
        )
        return np.asarray(share(part, n, k)).astype(np.float64)
    if type(part) is int and type(n) is int and type(k) is int:
        return _integer_binomial_ratio(part, n, k)
    return ratio(binomial(part, k), binomial(n, k))


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
