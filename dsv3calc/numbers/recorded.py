"""Arithmetic recorded while it runs on symbols, to be run on many rows afterwards.

A composition that takes ints, arrays or symbols is called once with the inputs of a record in
place of numbers. The record keeps each operation once: equal operations on equal values are the
same value, so what several results share is computed once. :mod:`~dsv3calc.numbers.program` runs
what was recorded.

Operations that change no number are left out: adding 0, multiplying or dividing by 1. What is
multiplied by 0 is 0. A square and a square root are recorded as such, which is how numpy computes
these powers of arrays. A factor or a divisor that is a power of two changes no digit of a float: it
is joined with a factor before it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import frexp
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONDITIONS = ("greater", "greater_equal", "less", "less_equal")
"""Operations that give a truth value: conditions of ``where``, and nothing else."""

_COMMUTE = frozenset({"add", "multiply", "maximum", "minimum"})


class NotRecordedError(TypeError):
    """What is computed depends on a value that is not known while it is recorded."""


class Operation(NamedTuple):
    """One operation of a record.

    ``parts`` are the numbers of what it is done to. ``what`` is the name of an input, the value of
    a constant, the table of ``lookup``, the function of ``call``, of integers, and that of
    ``apply``, of whole arrays. ``inputs`` has a bit for each input that it depends on.
    """

    name: str
    parts: tuple[int, ...]
    what: Any
    inputs: int


class Record:
    """Operations on inputs, by number; ``names`` are those of the inputs, by bit."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.names: list[str] = []
        self.values: list[Recorded] = []
        self._known: dict[tuple[Any, ...], Recorded] = {}

    def input(self, name: str) -> Recorded:
        """Return an input."""
        self.names.append(name)
        return self.note("input", (), name, 1 << (len(self.names) - 1))

    def note(
        self, name: str, parts: tuple[int, ...], what: Any = None, inputs: int = 0
    ) -> Recorded:
        """Return the value of an operation, the same one where it was recorded before."""
        key = (name, parts, what)
        found = self._known.get(key)
        if found is None:
            operations = self.operations
            for part in parts:
                inputs |= operations[part].inputs
            found = self._known[key] = Recorded(self, len(operations))
            operations.append(Operation(name, parts, what, inputs))
            self.values.append(found)
        return found

    def number(self, value: Any) -> int:
        """Return the number of a recorded value, or of a constant."""
        if type(value) is Recorded:
            return value.number
        return self.note("constant", (), float(value)).number


class Recorded:
    """A value of a record.

    Two are equal where they are the same object, as with symbols: code that asks whether a degree
    is 1 gets the answer that it is not known to be.
    """

    __slots__ = ("number", "record")

    __array_priority__ = 1000
    __array_ufunc__ = None
    __dsv3calc_ops__: Any
    """What ``ops`` computes with where an argument is recorded."""

    def __init__(self, record: Record, number: int) -> None:
        self.record = record
        self.number = number

    def __bool__(self) -> bool:
        """Refuse to be a condition.

        Raises
        ------
        NotRecordedError
            Always.
        """
        raise NotRecordedError(
            "a recorded value may not be branched on: use dsv3calc.numbers.ops.where"
        )

    def max(self) -> float:
        """Refuse to tell a value, as in :meth:`__bool__`.

        Raises
        ------
        NotRecordedError
            Always.
        """
        raise NotRecordedError("the largest of a recorded value is not known")

    def any(self) -> bool:
        """Tell whether it is not 0 in some row: what is known to be 0 is a number."""
        return True

    def __add__(self, other: Any) -> Recorded:
        return self if _is(other, 0) else _both("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Recorded:
        return self if _is(other, 0) else _both("subtract", self, other)

    def __rsub__(self, other: Any) -> Recorded:
        return _both("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return _both("multiply", self, other) if type(other) is Recorded else _times(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return _divided(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _divided(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _rounded("floor", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _rounded("floor", other, self)

    def __pow__(self, other: Any) -> Recorded:
        if _is(other, 2):
            return _both("multiply", self, self)
        return _one("sqrt", self) if _is(other, 0.5) else _both("power", self, other)

    def __rpow__(self, other: Any) -> Recorded:
        return _both("power", other, self)

    def __neg__(self) -> Recorded:
        return _one("negative", self)

    def __gt__(self, other: Any) -> Recorded:
        return _both("greater", self, other)

    def __ge__(self, other: Any) -> Recorded:
        return _both("greater_equal", self, other)

    def __lt__(self, other: Any) -> Recorded:
        return _both("less", self, other)

    def __le__(self, other: Any) -> Recorded:
        return _both("less_equal", self, other)


def _is(value: Any, number: float) -> bool:
    return type(value) is not Recorded and value == number


def _one(name: str, value: Recorded) -> Recorded:
    return value.record.note(name, (value.number,))


def _record_of(*values: Any) -> Record:
    return next(value.record for value in values if type(value) is Recorded)


def _both(name: str, a: Any, b: Any) -> Recorded:
    record: Record = a.record if type(a) is Recorded else b.record
    one = a.number if type(a) is Recorded else record.number(a)
    other = b.number if type(b) is Recorded else record.number(b)
    if one > other and name in _COMMUTE:
        one, other = other, one
    return record.note(name, (one, other))


def _is_power_of_two(value: float) -> bool:
    return abs(frexp(value)[0]) == 0.5  # noqa: PLR2004 - so it is defined


def _times(value: Recorded, factor: float) -> Any:
    """Return a multiple of a value; one of a multiple is recorded as one where it is the same."""
    if factor == 0:
        return 0
    record = value.record
    operation = record.operations[value.number]
    if operation.name == "multiply":
        for one, other in (operation.parts, operation.parts[::-1]):
            name, _, constant, _ = record.operations[one]
            if name == "constant" and (_is_power_of_two(constant) or _is_power_of_two(factor)):
                value, factor = record.values[other], constant * factor
                break
    return value if factor == 1 else _both("multiply", value, factor)


def _divided(value: Any, divisor: Any) -> Any:
    """Return a value over another one; over a power of two as its multiple."""
    if _is(value, 0):
        return 0
    if type(divisor) is not Recorded and _is_power_of_two(divisor):
        return _times(value, 1 / divisor)
    return _both("divide", value, divisor)


def _rounded(name: str, value: Any, divisor: Any) -> Any:
    return 0 if _is(value, 0) else _one(name, _divided(value, divisor))


def _extreme(name: str) -> Callable[[Any, Any], Any]:
    return lambda a, b: a if a is b else _both(name, a, b)


def _where(condition: Recorded, a: Any, b: Any) -> Any:
    record = condition.record
    if a is b:
        return a
    return record.note("where", (condition.number, record.number(a), record.number(b)))


def _lookup(table: Sequence[int], index: Recorded) -> Recorded:
    return index.record.note("lookup", (index.number,), tuple(table))


def _apply(function: Callable[..., Any], *values: Any) -> Recorded:
    record = _record_of(*values)
    return record.note("apply", tuple(map(record.number, values)), function)


def _elementwise(function: Callable[..., Any], *values: Any) -> Recorded:
    record = _record_of(*values)
    return record.note("call", tuple(map(record.number, values)), function)


def _binomial(n: Any, k: Any) -> Recorded:
    import math

    return _elementwise(math.comb, n, k)


Recorded.__dsv3calc_ops__ = SimpleNamespace(
    maximum=_extreme("maximum"),
    minimum=_extreme("minimum"),
    exceeds=lambda a, b: _both("greater", a, b),
    ratio=_divided,
    floor_div=lambda a, b: _rounded("floor", a, b),
    ceil_div=lambda a, b: _rounded("ceil", a, b),
    where=_where,
    lookup=_lookup,
    apply=_apply,
    elementwise=_elementwise,
    binomial=_binomial,
)
