"""Arithmetic that runs on Python ints, numpy arrays and sympy symbols alike.

A formula uses these instead of ``max``, ``//`` tricks and ``if`` on values, so that one function
is the exact integer answer, a million layouts at once, and the closed form. Neither numpy nor
sympy is imported unless an argument already comes from it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any


def _is_symbolic(*values: Any) -> bool:
    return any(hasattr(value, "free_symbols") for value in values)


def _is_array(*values: Any) -> bool:
    return any(hasattr(value, "__array_priority__") for value in values)


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of two values, elementwise for arrays.

    >>> maximum(3, 5)
    5
    """
    if type(a) is int and type(b) is int:
        return max(a, b)
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
        return min(a, b)
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
    return a // b


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
    return -(-a // b)


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
    if _is_symbolic(condition, a, b):
        import sympy

        return sympy.Piecewise((a, condition), (b, True))
    if _is_array(condition):
        import numpy as np

        return np.where(condition, a, b)
    return a if condition else b
