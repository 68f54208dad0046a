"""The operations of :mod:`dsv3calc.numbers.ops` on numpy arrays, elementwise."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

maximum = np.maximum
minimum = np.minimum
exceeds = operator.gt
ratio = operator.truediv


def floor_div(a: Any, b: Any) -> Any:
    """Return the floor of ``a / b``.

    It is exact for whole floats below 2^53, and ten times as fast as ``//``. A quotient of such
    that is not whole is at least 1/b away from one; rounding moves it by less: (a/b) / 2^53 < 1/b.
    """
    return np.floor(a / b) if _has_floats(a, b) else a // b


def ceil_div(a: Any, b: Any) -> Any:
    """Return the ceiling of ``a / b``, exact as in :func:`floor_div`."""
    return np.ceil(a / b) if _has_floats(a, b) else -(-a // b)


def _has_floats(*values: Any) -> bool:
    return any(getattr(getattr(value, "dtype", None), "kind", "") == "f" for value in values)


def where(condition: Any, a: Any, b: Any) -> Any:
    """Return ``a`` where ``condition`` holds, else ``b``."""
    return np.where(condition, np.asarray(a, np.float64), np.asarray(b, np.float64))


def lookup(table: Sequence[int], index: Any) -> Any:
    """Return the entries of a table at indices."""
    return np.asarray(table, dtype=np.float64)[np.asarray(index).astype(np.intp)]


def binomial(n: Any, k: Any) -> Any:
    """Return in how many ways ``k`` of ``n`` things are chosen."""
    return elementwise(math.comb, n, k)


def apply(function: Callable[..., Any], *values: Any) -> Any:
    """Return what a function of arrays gives."""
    return function(*values)


def elementwise(function: Callable[..., Any], *values: Any) -> Any:
    """Return what a function of integers gives for each element, as floats."""
    each = np.frompyfunc(lambda *numbers: function(*map(int, numbers)), len(values), 1)
    return np.asarray(each(*values)).astype(np.float64)
