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
from math import prod
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


_SAMPLE = 2
"""Combinations are looked for among so many times the rows of interest first."""


_DERIVED = 4
"""Combinations with so many times more rows are looked at in place of the rows."""


class _Combinations:
    """Combinations of some axes: a row of each, and which one each row has.

    The latter is given, or that of each of ``others``, which have these axes and more.
    """

    __slots__ = ("_others", "_which", "rows")

    def __init__(self, rows: Any, which: Any, others: _Combinations | None = None) -> None:
        self.rows = rows
        self._which = which
        self._others = others

    @property
    def which(self) -> Any:
        """Return for each row the number of its combination."""
        if self._others is not None:
            self._which, self._others = self._which[self._others.which], None
        return self._which

    def of(self, rows: Any) -> Any:
        """Return the numbers of the combinations of some rows."""
        return self._which[rows if self._others is None else self._others.of(rows)]


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
        self._places: dict[tuple[frozenset[str], frozenset[str]], Any] = {}
        self._joined: dict[tuple[frozenset[str], frozenset[str]], frozenset[str]] = {}
        everything = np.arange(self.rows)
        self._known = {self._every: _Combinations(everything, everything)}

    def column(self, name: str) -> Column:
        """Return an axis as a column."""
        axes = frozenset((name,))
        rows = self._of(axes).rows
        if len(rows) * _SHARE > self.rows:
            return Column(self, self._every, self.axes[name])
        return Column(self, axes, self.axes[name][rows])

    def values(self, value: Any) -> Any:
        """Return a column, or a number, as an array with an entry for each row."""
        if not isinstance(value, Column):
            return np.broadcast_to(np.asarray(value, dtype=np.float64), (self.rows,))
        return value.values[self.places_of_rows(value.axes)]

    def combinations(self, axes: frozenset[str], most: int) -> int:
        """Return the number of combinations of some axes, or one that is more than ``most``.

        Where there may be many, they are looked for among some rows first.
        """
        step = self.rows // (_SAMPLE * most + 1)
        known = axes in self._known or self._with_more(axes) is not None
        if step > 1 and not known and prod(self._code(name)[1] for name in axes) > most:
            rows, _ = self._numbered(axes, slice(None, None, step))
            if len(rows) > most:
                return len(rows)
        return len(self._of(axes).rows)

    def rows_of(self, axes: frozenset[str]) -> Any:
        """Return a row of each combination of some axes."""
        return self._of(axes).rows

    def distinct(self, name: str, axes: frozenset[str]) -> Any:
        """Return the number of an axis in each combination of ``axes``."""
        return self.axes[name][self._of(axes).rows]

    def places_of_rows(self, axes: frozenset[str]) -> Any:
        """Return for each row the number of its combination of ``axes``."""
        return self._of(axes).which

    def join(self, one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
        """Return the axes of both; all, where their combinations are nearly as many as rows."""
        if one == other:
            return one
        found = self._joined.get((one, other))
        if found is None:
            found = one | other
            if self.combinations(found, self.rows // _SHARE) * _SHARE > self.rows:
                found = self._every
            self._joined[one, other] = found
        return found

    def places(self, axes: frozenset[str], wanted: frozenset[str]) -> Any:
        """Return for each combination of ``wanted`` the one of ``axes``, which are among them."""
        found = self._places.get((axes, wanted))
        if found is None:
            found = self._places[axes, wanted] = self._of(axes).of(self._of(wanted).rows)
        return found

    def _of(self, axes: frozenset[str]) -> _Combinations:
        """Return the combinations of some axes."""
        found = self._known.get(axes)
        if found is None:
            others = self._with_more(axes)
            if others is None:
                found = _Combinations(*self._numbered(axes, slice(None)))
            else:
                rows, which = self._numbered(axes, others.rows)
                found = _Combinations(others.rows[rows], which, others)
            self._known[axes] = found
        return found

    def _with_more(self, axes: frozenset[str]) -> _Combinations | None:
        """Return known combinations that have some axes and more; None where rows are as good."""
        found = [
            each
            for other, each in self._known.items()
            if axes < other and len(each.rows) * _DERIVED <= self.rows
        ]
        return min(found, key=lambda each: len(each.rows), default=None)

    def _numbered(self, axes: frozenset[str], rows: Any) -> tuple[Any, Any]:
        """Find combinations among some rows: one of these of each, and for each its number."""
        codes, size = np.zeros(self.rows, dtype=np.intp)[rows], 1
        for name in sorted(axes):
            each, count = self._code(name)
            if size * count > _limit(self.rows) >= size:
                _, codes = _numbered(codes, size)
                size = int(codes.max()) + 1 if len(codes) else 1
            codes = codes * count + each[rows]
            size *= count
        return _numbered(codes, size) if size <= _limit(self.rows) else _sorted(codes)

    def _code(self, name: str) -> tuple[Any, int]:
        """Return for each row the number of its value of an axis, and how many there are."""
        found = self._codes.get(name)
        if found is None:
            values = self.axes[name]
            low, high = (values.min(), values.max()) if self.rows else (0, 0)
            whole = values.astype(np.intp) if 0 <= low <= high < _limit(self.rows) else None
            if whole is not None and (whole == values).all():
                rows, which = _numbered(whole, int(high) + 1)
            else:
                rows, which = _sorted(values)
            found = self._codes[name] = (which, len(rows))
        return found


def _limit(rows: int) -> int:
    """Return how many codes are counted in an array."""
    return _DENSE * rows + _DENSE


def _sorted(values: Any) -> tuple[Any, Any]:
    _, rows, which = np.unique(values, return_index=True, return_inverse=True)
    return rows, which


def _numbered(codes: Any, size: int) -> tuple[Any, Any]:
    """Return a row of each code that occurs, and for each row the number of its code.

    ``size`` is above all codes.
    """
    there = np.zeros(size, dtype=bool)
    there[codes] = True
    (present,) = there.nonzero()
    number = np.empty(size, dtype=np.intp)
    number[present] = np.arange(len(present))
    which = number[codes]
    rows = np.empty(len(present), dtype=np.intp)
    rows[which] = np.arange(len(codes))
    return rows, which


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
    apply=apply,
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
