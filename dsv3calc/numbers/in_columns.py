"""Columns of a table, kept once for each combination of what they depend on.

A search looks at many layouts that differ in few degrees. What depends on ``tp`` and ``ep`` alone
has as few values as these have combinations, however many rows the table has. A column knows which
of the table's axes it depends on and keeps one value for each of their combinations. Arithmetic on
two columns goes over the combinations of the axes of both; each row gets the same number, to the
last bit, as with whole arrays.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import operator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from dsv3calc.numbers import in_numpy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SHARE = 2
"""Axes with more combinations than the rows over this are kept by row."""


_DENSE = 8
"""Codes below so many times the rows are counted in an array of all codes; others are sorted."""


class Table:
    """Rows of several axes, and the combinations of some of the axes that occur.

    Parameters
    ----------
    axes
        Name of an axis -> an array with its number in each row.
    """

    def __init__(self, axes: Mapping[str, Any]) -> None:
        self.axes = {name: np.asarray(each, dtype=np.float64) for name, each in axes.items()}
        self.rows = len(next(iter(self.axes.values())))
        self._every = frozenset(self.axes)
        self._codes: dict[str, tuple[Any, int]] = {}
        self._keys: dict[frozenset[str], tuple[Any, Any]] = {}
        self._places: dict[tuple[frozenset[str], frozenset[str]], Any] = {}
        self._joined: dict[tuple[frozenset[str], frozenset[str]], frozenset[str]] = {}
        self._origin: tuple[Table, Any, Any] | None = None
        everything = np.arange(self.rows)
        self._keys[self._every] = (everything, everything)

    def repeated(self, which: Any, first: Any, more: Mapping[str, Any]) -> Table:
        """Return a table of these rows, each once or several times, with more axes.

        ``which`` are their numbers here, ``first`` the number there of one of each row's.
        """
        found = Table({**{name: each[which] for name, each in self.axes.items()}, **more})
        found._origin = (self, which, first)
        return found

    def column(self, name: str) -> Column:
        """Return an axis as a column."""
        axes = frozenset((name,))
        _, first = self.key(axes)
        if len(first) * _SHARE > self.rows:
            return Column(self, self._every, self.axes[name])
        return Column(self, axes, self.axes[name][first])

    def values(self, value: Any) -> Any:
        """Return a column, or a number, as an array with an entry for each row."""
        if not isinstance(value, Column):
            return np.broadcast_to(np.asarray(value, dtype=np.float64), (self.rows,))
        return value.values[self.key(value.axes)[0]]

    def combinations(self, axes: frozenset[str], most: int) -> int:
        """Return the number of combinations of some axes, or a number that is more than ``most``.

        Combinations of all that a table was made from are no more than those with other axes.
        """
        if self._origin is not None:
            origin = self._origin[0]
            there = origin.combinations(axes.intersection(origin.axes), most)
            if there > most or axes <= origin.axes.keys():
                return there
        return len(self.key(axes)[1])

    def distinct(self, name: str, axes: frozenset[str]) -> Any:
        """Return the number of an axis in each combination of ``axes``."""
        return self.axes[name][self.key(axes)[1]]

    def places_of_rows(self, axes: frozenset[str]) -> Any:
        """Return for each row the number of its combination of ``axes``."""
        return self.key(axes)[0]

    def join(self, one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
        """Return the axes of both; all, where their combinations are nearly as many as rows."""
        if one == other:
            return one
        found = self._joined.get((one, other))
        if found is None:
            found = one | other
            if len(self.key(found)[1]) * _SHARE > self.rows:
                found = self._every
            self._joined[one, other] = found
        return found

    def places(self, axes: frozenset[str], wanted: frozenset[str]) -> Any:
        """Return for each combination of ``wanted`` the one of ``axes``, which are among them."""
        found = self._places.get((axes, wanted))
        if found is None:
            found = self._places[axes, wanted] = self.key(axes)[0][self.key(wanted)[1]]
        return found

    def _code(self, name: str) -> tuple[Any, int]:
        """Return for each row the number of its value of an axis, and how many there may be."""
        found = self._codes.get(name)
        if found is None:
            distinct, each = np.unique(self.axes[name], return_inverse=True)
            found = self._codes[name] = (each, len(distinct))
        return found

    def key(self, axes: frozenset[str]) -> tuple[Any, Any]:
        """Return for each row the number of its combination, and for each a row of it."""
        found = self._keys.get(axes)
        if found is None and self._origin is not None and axes <= self._origin[0].axes.keys():
            origin, which, first = self._origin
            there, rows = origin.key(axes)
            found = self._keys[axes] = (there[which], first[rows])
        if found is None:
            codes: Any = np.zeros(self.rows, dtype=np.intp)
            size = 1
            if axes:
                last = max(axes)
                codes, size = self._code(last)
                if len(axes) > 1:
                    others, first = self.key(axes - {last})
                    codes, size = others * size + codes, len(first) * size
            found = self._keys[axes] = _numbered(codes, size)
        return found


def _numbered(codes: Any, size: int) -> tuple[Any, Any]:
    """Return for each row the number of its code among those that occur, and a row of each."""
    if size > _DENSE * len(codes) + _DENSE:
        _, first, which = np.unique(codes, return_index=True, return_inverse=True)
        return which, first
    there = np.zeros(size, dtype=bool)
    there[codes] = True
    which = (np.cumsum(there) - 1)[codes]
    rows = np.empty(int(there.sum()), dtype=np.intp)
    rows[which] = np.arange(len(codes))
    return which, rows


class Column:
    """A number for each row of a table, kept for each combination of its ``axes``.

    Two columns are equal where they are the same object, as with symbols: code that asks whether a
    degree is 1 gets the answer that it is not known to be.
    """

    __slots__ = ("axes", "table", "values")

    __array_priority__ = 1000
    __array_ufunc__ = None
    __dsv3calc_ops__: Any
    """What ``ops`` computes with where an argument is a column."""

    def __init__(self, table: Table, axes: frozenset[str], values: Any) -> None:
        self.table = table
        self.axes = axes
        self.values = values

    def __bool__(self) -> bool:
        """Refuse to be a condition.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("a column may not be branched on: use dsv3calc.numbers.ops.where")

    def max(self) -> float:
        """Return the largest number."""
        return float(self.values.max())

    def any(self) -> bool:
        """Tell whether it is not 0 in some row."""
        return bool(self.values.any())

    def __floordiv__(self, other: Any) -> Column:
        found: Column = apply(in_numpy.floor_div, self, other)
        return found

    def __rfloordiv__(self, other: Any) -> Column:
        found: Column = apply(in_numpy.floor_div, other, self)
        return found

    def __neg__(self) -> Column:
        return Column(self.table, self.axes, -self.values)


def apply(function: Callable[..., Any], *values: Any) -> Any:
    """Apply a function of arrays to columns and numbers, over the combinations of their axes."""
    columns = [each for each in values if isinstance(each, Column)]
    table, axes = columns[0].table, columns[0].axes
    for each in columns[1:]:
        axes = table.join(axes, each.axes)
    arrays = [
        each
        if not isinstance(each, Column)
        else each.values
        if each.axes == axes
        else each.values[table.places(each.axes, axes)]
        for each in values
    ]
    return Column(table, axes, function(*arrays))


def _forward(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def forward(self: Column, other: Any) -> Column:
        if type(other) is not Column:
            return Column(self.table, self.axes, function(self.values, other))
        if self.axes == other.axes:
            return Column(self.table, self.axes, function(self.values, other.values))
        found: Column = apply(function, self, other)
        return found

    return forward


def _reflected(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    return lambda self, other: Column(self.table, self.axes, function(other, self.values))


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Column, f"__{_name}__", _forward(getattr(operator, _name)))
    setattr(Column, f"__r{_name}__", _reflected(getattr(operator, _name)))
for _name in ("lt", "le", "gt", "ge"):
    setattr(Column, f"__{_name}__", _forward(getattr(operator, _name)))


def _of(name: str) -> Callable[..., Any]:
    function = getattr(in_numpy, name)
    return lambda *values: apply(function, *values)


Column.__dsv3calc_ops__ = SimpleNamespace(
    lookup=lambda table, index: apply(lambda each: in_numpy.lookup(table, each), index),
    elementwise=lambda function, *values: apply(
        lambda *each: in_numpy.elementwise(function, *each), *values
    ),
    **{
        name: _of(name)
        for name in (
            "maximum", "minimum", "exceeds", "ratio", "floor_div", "ceil_div", "where", "binomial",
        )
    },
)  # fmt: skip
