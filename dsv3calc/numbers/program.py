"""A record run on the rows of a table, each operation where its values differ.

What depends on few axes has as few values as these have combinations, and is computed for those
alone. The rest runs row by row: a flat list of operations on buffers that are used again, over
blocks of rows that stay in cache.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsv3calc.numbers import in_numpy
from dsv3calc.numbers.recorded import CONDITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dsv3calc.numbers.in_columns import Table
    from dsv3calc.numbers.recorded import Operation, Record

    Rows = Callable[["Flat", Sequence["Input"], int], list[Any]]
    """What computes operations over rows: the operations, their inputs, the number of rows."""

BLOCK = 8192
"""Rows of a block: its buffers stay in cache, and numpy's own work on a call is little beside."""

_FEW_ROWS = 4096
"""A table of no more rows is computed row by row: that takes less than finding combinations."""


_SHARE = 8
"""Combinations are computed apart where there are so many times more rows."""


_MANY, _MANY_COMPILED = 1000, 4000
"""Programs of fewer operations are computed row by row, likewise, unless one of them is slow."""

_SLOW = ("power", "call")
"""Operations that take as long as many others, and that no code is compiled for."""


class Input(NamedTuple):
    """Values that operations over rows begin with, and which of them each row has: None for all."""

    values: Any
    places: Any


class Flat(NamedTuple):
    """Operations over rows, as places of a list of slots.

    Slots are first the inputs, then the ``constants``, then buffers, of which ``truths`` hold truth
    values. A step is an operation, the slots of what it is done to, and its own. ``results`` are
    the slots of results.
    """

    constants: list[float]
    steps: list[tuple[Operation, tuple[int, ...], int]]
    truths: set[int]
    slots: int
    results: list[int]


class Program:
    """The operations that some recorded values need.

    Parameters
    ----------
    record
        Where they were recorded.
    results
        Values of the record, or numbers.
    """

    def __init__(self, record: Record, results: Sequence[Any]) -> None:
        self.record = record
        self.results = [record.number(each) for each in results]
        operations = record.operations
        needed = set(self.results)
        waiting = list(needed)
        while waiting:
            for part in operations[waiting.pop()].parts:
                if part not in needed:
                    needed.add(part)
                    waiting.append(part)
        self.order = sorted(needed)
        self.is_slow = any(operations[number].name in _SLOW for number in self.order)

    def run(self, table: Table, *, compiled: bool = False) -> list[Any]:
        """Return the results for each row of a table.

        ``compiled`` says that what differs from row to row is computed by compiled code.
        """
        many = len(self.order) >= (_MANY_COMPILED if compiled else _MANY)
        apart = table.rows > _FEW_ROWS and (many or self.is_slow)
        return _Run(self, table, apart=apart).results(compiled=compiled)


class _Run:
    """One run of a program: the values of what depends on few axes, and what is left.

    ``apart`` says whether the former is looked for.
    """

    def __init__(self, program: Program, table: Table, *, apart: bool) -> None:
        self.program = program
        self.apart = apart
        self.table = table
        self.names = program.record.names
        self.every = table.join(frozenset(), frozenset(table.axes))
        self.levels: dict[int, frozenset[str]] = {0: frozenset()}
        self.values: dict[int, Any] = {}
        self.by_row: list[int] = []
        self._compute()

    def _level(self, inputs: int) -> frozenset[str]:
        """Return the axes whose combinations what depends on some inputs is computed for."""
        if inputs not in self.levels:
            axes = frozenset(name for bit, name in enumerate(self.names) if inputs >> bit & 1)
            most = min(BLOCK, self.table.rows // _SHARE)
            few = self.apart and self.table.combinations(axes, most) <= most
            self.levels[inputs] = axes if few else self.every
        return self.levels[inputs]

    def _compute(self) -> None:
        operations, values, table = self.program.record.operations, self.values, self.table
        moved: dict[tuple[int, frozenset[str]], Any] = {}
        levels = {
            each: self._level(each) for each in {operations[n].inputs for n in self.program.order}
        }
        every = self.every
        for number in self.program.order:
            name, parts, what, inputs = operations[number]
            level = levels[inputs]
            if level is every or level == every:
                self.by_row.append(number)
            elif name == "constant":
                values[number] = what
            elif name == "input":
                values[number] = table.distinct(what, level)
            else:
                arguments = []
                for part in parts:
                    other = levels[operations[part].inputs]
                    if other is level or other == level or not other:
                        arguments.append(values[part])
                        continue
                    key = (part, level)
                    if key not in moved:
                        moved[key] = values[part][table.places(other, level)]
                    arguments.append(moved[key])
                values[number] = function_of(name, what)(*arguments)

    def results(self, *, compiled: bool) -> list[Any]:
        """Compute what differs from row to row, and give the results a value for each row."""
        operations, table = self.program.record.operations, self.table
        wanted = self.program.results
        known: dict[int, Any] = {}
        if compiled:
            from dsv3calc.numbers.compiled import COMPILED, by_llvm

            others = [n for n in self.by_row if operations[n].name not in COMPILED]
            others = [n for n in others if operations[n].parts]
            known = self._by_row(others, known, by_numpy)
            known |= self._by_row([n for n in wanted if n not in known], known, by_llvm)
        else:
            known = self._by_row(wanted, known, by_numpy)
        results = []
        for number in wanted:
            inputs = operations[number].inputs
            if number in known:
                results.append(known[number])
            elif inputs:
                places = table.places_of_rows(self._level(inputs))
                results.append(self.values[number][places])
            else:
                results.append(np.full(table.rows, self.values[number]))
        return results

    def _by_row(
        self, wanted: Sequence[int], known: Mapping[int, Any], rows: Rows
    ) -> dict[int, Any]:
        """Compute some values that differ from row to row; ``known`` has those that are there."""
        operations, table = self.program.record.operations, self.table
        wanted = list(dict.fromkeys(each for each in wanted if each not in self.values))
        needed = {*wanted}
        for number in reversed(self.by_row):
            if number in needed and number not in known:
                needed.update(operations[number].parts)
        flat, numbers = flattened(
            operations, [n for n in self.by_row if n in needed and n not in known], wanted
        )
        inputs = []
        for number in numbers:
            if number in known:
                inputs.append(Input(known[number], None))
            elif number in self.values:
                level = self._level(operations[number].inputs)
                inputs.append(Input(self.values[number], table.places_of_rows(level)))
            else:
                inputs.append(Input(table.axes[operations[number].what], None))
        return dict(zip(wanted, rows(flat, inputs, table.rows), strict=True))


def flattened(
    operations: Sequence[Operation], by_row: Sequence[int], wanted: Sequence[int]
) -> tuple[Flat, list[int]]:
    """Give each operation over rows its slots; a slot is used again once its value is done.

    Returns
    -------
    The operations, and the numbers of the inputs.
    """
    every = {*by_row}
    last = {part: number for number in by_row for part in operations[number].parts}
    last |= dict.fromkeys(wanted, -1)
    outside = [part for part in last if part not in every]
    constants = [each for each in outside if operations[each].name == "constant"]
    inputs = [each for each in by_row if operations[each].name == "input"]
    inputs += [each for each in outside if operations[each].name != "constant"]
    slots = {number: slot for slot, number in enumerate((*inputs, *constants))}
    first = count = len(slots)
    truths: set[int] = set()
    free: dict[bool, list[int]] = {True: [], False: []}
    steps = []
    for number in by_row:
        if number in slots:
            continue
        operation = operations[number]
        truth = operation.name in CONDITIONS
        if free[truth]:
            slot = free[truth].pop()
        else:
            slot, count = count, count + 1
        if truth:
            truths.add(slot)
        steps.append((operation, tuple([slots[part] for part in operation.parts]), slot))
        slots[number] = slot
        for part in {*operation.parts}:
            if last[part] == number and slots[part] >= first:
                free[slots[part] in truths].append(slots[part])
    constant = [operations[each].what for each in constants]
    return Flat(constant, steps, truths, count, [slots[each] for each in wanted]), inputs


def function_of(name: str, what: Any) -> Callable[..., Any]:
    """Return a function of arrays that does an operation."""
    if name == "lookup":
        return lambda index: in_numpy.lookup(what, index)
    if name == "call":
        return lambda *values: in_numpy.elementwise(what, *values)
    function: Callable[..., Any] = in_numpy.where if name == "where" else getattr(np, name)
    return function


def by_numpy(flat: Flat, inputs: Sequence[Input], rows: int) -> list[Any]:
    """Compute operations over rows block by block, each operation into a buffer."""
    found = [np.empty(rows) for _ in flat.results]
    if not found:
        return found
    blocks = -(-rows // BLOCK)
    size = -(-rows // blocks)
    slots = [
        *(np.empty(size) for _ in inputs),
        *(np.array(value) for value in flat.constants),
    ]
    slots += [
        np.empty(size, dtype=bool if slot in flat.truths else float)
        for slot in range(len(slots), flat.slots)
    ]
    steps = [
        (_into(operation), [slots[part] for part in parts], slots[slot])
        for operation, parts, slot in flat.steps
    ]
    for start in range(0, rows, size):
        stop = min(start + size, rows)
        for slot, (values, places) in zip(slots, inputs, strict=False):
            each = values[start:stop] if places is None else values[places[start:stop]]
            slot[: stop - start] = each
            slot[stop - start :] = each[-1]
        for function, arguments, out in steps:
            function(*arguments, out=out)
        for result, place in zip(found, flat.results, strict=True):
            result[start:stop] = slots[place][: stop - start]
    return found


def _into(operation: Operation) -> Callable[..., Any]:
    """Return a function that does an operation, and writes what it gives into ``out``."""
    if operation.name == "where":
        return _where_into
    function = function_of(operation.name, operation.what)
    if operation.name in ("lookup", "call"):

        def found(*arguments: Any, out: Any) -> None:
            out[:] = function(*arguments)

        return found
    return function


def _where_into(condition: Any, a: Any, b: Any, out: Any) -> None:
    np.copyto(out, b)
    np.copyto(out, a, where=condition)
