"""A record run on the rows of a table, each operation where its values differ.

What depends on few axes has as few values as these have combinations, and is computed for those
alone. The rest runs row by row: a flat list of operations on buffers that are used again, over
blocks of rows that stay in cache. Where an input has several values in a row and results are the
largest of them, what does not depend on this input is computed once for all of them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsv3calc.numbers.compiled import COMPILED, by_llvm
from dsv3calc.numbers.recorded import CONDITIONS
from dsv3calc.numbers.rows import BLOCK, Flat, Groups, Input, by_numpy, function_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dsv3calc.numbers.in_columns import Table
    from dsv3calc.numbers.recorded import Operation, Record
    from dsv3calc.numbers.rows import Rows


_FEW_ROWS = 4096
"""Of a table with no more rows each operation is done on all rows at once."""


_SHARE = 8
"""Combinations are computed apart where there are so many times more rows."""


_MANY, _MANY_COMPILED = 400, 1000
"""Programs of fewer operations are computed row by row, but for slow operations and what these
need: that takes less than finding combinations."""

_MOST_PLANS = 8
"""Plans of a program that are kept."""

_SLOW = ("power", "call", "apply")
"""Operations that take as long as many others, and that no code is compiled for."""


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
        masks = {operations[number].inputs for number in self.order}
        self.masks = sorted(masks, key=int.bit_count, reverse=True)
        self.slow = self._slow()
        self.plans: dict[Any, _Plan] = {}

    def _slow(self) -> set[int]:
        """Return the slow operations, and all that these need."""
        operations = self.record.operations
        found = {number for number in self.order if operations[number].name in _SLOW}
        for number in reversed(self.order):
            if number in found:
                found.update(operations[number].parts)
        return found

    def run(
        self, table: Table, groups: Groups | None = None, *, compiled: bool = False
    ) -> list[Any]:
        """Return the results for each row of a table.

        ``groups`` are those of its rows. ``compiled`` says that what differs from row to row is
        computed by compiled code.
        """
        many = len(self.order) >= (_MANY_COMPILED if compiled else _MANY)
        apart = None if many else self.slow
        groups = Groups([(0, table.rows)]) if groups is None else groups
        return _Run(self, table, groups, apart).results(compiled=compiled)


class _Level(NamedTuple):
    """Where a value differs: the axes whose combinations have one each, and whether turns do."""

    axes: frozenset[str]
    in_turns: bool


class _Step(NamedTuple):
    """An operation for the combinations of some axes; ``parts`` with the axes of those of others.

    There is no ``function`` for an input and for a constant. ``done`` are the values that nothing
    after it needs.
    """

    number: int
    function: Callable[..., Any] | None
    parts: list[tuple[int, frozenset[str] | None]]
    axes: frozenset[str]
    done: list[int]


class _Plan:
    """Where each operation of a program is done, on tables that are alike in this.

    ``levels`` are those of values; ``by_row`` are the values that differ from row to row.
    """

    def __init__(
        self, program: Program, levels: Mapping[int, _Level], by_row: Sequence[int]
    ) -> None:
        self.operations = program.record.operations
        self.levels = levels
        self.by_row = by_row
        self.steps = self._steps(program)
        self._flats: dict[Any, tuple[Flat, list[int]]] = {}

    def _steps(self, program: Program) -> list[_Step]:
        operations, rows = self.operations, {*self.by_row}
        last = {part: n for n in program.order for part in operations[n].parts}
        kept = {part for n in self.by_row for part in operations[n].parts}
        kept.update(program.results)
        found = []
        for number in program.order:
            if number in rows:
                continue
            name, parts, what, _ = operations[number]
            axes = self.levels[number].axes
            if not parts:
                found.append(_Step(number, None, [], axes, []))
                continue
            moved: list[tuple[int, frozenset[str] | None]] = []
            done = []
            for part in parts:
                own = self.levels[part].axes
                there = own == axes or not operations[part].inputs
                moved.append((part, None if there else own))
                if last[part] == number and part not in kept and part not in done:
                    done.append(part)
            found.append(_Step(number, function_of(name, what), moved, axes, done))
        return found

    def flat(self, wanted: Sequence[int], known: Mapping[int, Any]) -> tuple[Flat, list[int]]:
        """Return what computes values from those that are known, and its inputs."""
        key = (tuple(wanted), tuple(known))
        if key not in self._flats:
            needed = {*wanted}
            for number in reversed(self.by_row):
                if number in needed and number not in known:
                    needed.update(self.operations[number].parts)
            self._flats[key] = flattened(
                self.operations,
                [n for n in self.by_row if n in needed and n not in known],
                wanted,
                {n for n in needed if self.levels[n].in_turns},
            )
        return self._flats[key]


class _Run:
    """One run of a program: the values of what depends on few axes, and what is left.

    ``apart`` are the values for which combinations are looked for: None for all of them.
    """

    def __init__(
        self, program: Program, table: Table, groups: Groups, apart: set[int] | None
    ) -> None:
        self.program = program
        self.table = table
        self.groups = groups
        self.every = frozenset(table.axes)
        self.is_small = table.rows <= _FEW_ROWS
        operations = program.record.operations
        looked_for = set(program.masks)
        if apart is not None:
            looked_for = {operations[number].inputs for number in apart}
        by_mask = {  # those of fewer axes follow from the first
            mask: self._level(mask, apart=mask in looked_for and not self.is_small)
            for mask in program.masks
        }
        key = (self.is_small, apart is None, self.every, groups.fixed, *by_mask.values())
        if key not in program.plans:
            if len(program.plans) == _MOST_PLANS:
                program.plans.clear()
            program.plans[key] = self._planned(by_mask, apart)
        self.plan = program.plans[key]
        self.values: dict[int, Any] = {}
        self._moved: dict[tuple[int, frozenset[str]], Any] = {}
        self._compute()

    def _level(self, inputs: int, *, apart: bool) -> _Level:
        """Return where what depends on some inputs is computed."""
        axes = {name for bit, name in enumerate(self.program.record.names) if inputs >> bit & 1}
        in_turns = self.groups.name in axes
        if in_turns:
            axes = axes - {self.groups.name} | self.groups.fixed
        if axes <= self.groups.fixed:
            return _Level(frozenset(axes and self.groups.fixed), in_turns)
        few = min(BLOCK, self.table.rows // _SHARE)
        if apart and self.table.combinations(frozenset(axes), few) <= few:
            return _Level(frozenset(axes), in_turns)
        return _Level(self.every, in_turns)

    def _planned(self, by_mask: Mapping[int, _Level], apart: set[int] | None) -> _Plan:
        """Return where each value is computed."""
        operations, fixed = self.program.record.operations, self.groups.fixed
        levels = {}
        for number in self.program.order:
            level = by_mask[operations[number].inputs]
            if apart is not None and number not in apart and not level.axes <= fixed:
                level = _Level(self.every, level.in_turns)
            levels[number] = level
        by_row = []
        if not self.is_small and not self.every <= fixed:
            by_row = [number for number, level in levels.items() if level.axes == self.every]
        return _Plan(self.program, levels, by_row)

    def _compute(self) -> None:
        """Compute what depends on few axes, or everything where there are few rows."""
        values, moved = self.values, self._moved
        for number, function, parts, axes, done in self.plan.steps:
            if function is None:
                values[number] = self._given(number, axes)
                continue
            arguments = []
            for part, own in parts:
                value = values[part]
                if own is not None:
                    key = (part, axes)
                    if key not in moved:
                        moved[key] = value[..., self.table.places(own, axes)]
                    value = moved[key]
                arguments.append(value)
            values[number] = function(*arguments)
            for part in done:
                del values[part]
                moved.pop((part, axes), None)

    def _given(self, number: int, axes: frozenset[str]) -> Any:
        """Return a constant, or an input for each combination of axes."""
        name, _, what, _ = self.program.record.operations[number]
        if name == "constant":
            return what
        if what != self.groups.name:
            return self.table.distinct(what, axes)
        starts = [start for start, _ in self.groups.slices]
        rows = self.table.rows_of(axes)
        return self.groups.table[:, np.searchsorted(starts, rows, side="right") - 1]

    def results(self, *, compiled: bool) -> list[Any]:
        """Compute what differs from row to row, and give the results a value for each row."""
        operations, table, plan = self.program.record.operations, self.table, self.plan
        wanted = self.program.results
        known: dict[int, Any] = {}
        others = [n for n in plan.by_row if operations[n].name not in COMPILED]
        others = [n for n in others if operations[n].parts]
        if compiled and not any(plan.levels[number].in_turns for number in others):
            known = self._by_row(others, known, by_numpy)
            known |= self._by_row([n for n in wanted if n not in known], known, by_llvm)
        else:
            known = self._by_row(wanted, known, by_numpy)
        results = []
        for number in wanted:
            level = plan.levels[number]
            if number in known:
                results.append(known[number])
            elif not operations[number].inputs:
                results.append(np.full(table.rows, self.values[number]))
            else:
                values = self.values[number]
                values = values.max(axis=0) if level.in_turns else values
                results.append(values[table.places_of_rows(level.axes)])
        return results

    def _by_row(
        self, wanted: Sequence[int], known: Mapping[int, Any], rows: Rows
    ) -> dict[int, Any]:
        """Compute some values that differ from row to row; ``known`` has those that are there."""
        table = self.table
        wanted = list(dict.fromkeys(each for each in wanted if each not in self.values))
        flat, numbers = self.plan.flat(wanted, known)
        found = [np.empty(table.rows) for _ in wanted]
        rows(flat, [self._input(each, known) for each in numbers], self.groups, found)
        return dict(zip(wanted, found, strict=True))

    def _input(self, number: int, known: Mapping[int, Any]) -> Input:
        """Return a value as rows begin with it."""
        if number in known:
            return Input(known[number])
        if number not in self.values:
            return Input(self.table.axes[self.program.record.operations[number].what])
        axes = self.plan.levels[number].axes
        if not axes <= self.groups.fixed:
            return Input(self.values[number], self.table.places_of_rows(axes))
        values = np.asarray(self.values[number])
        if not values.ndim:  # it depends on nothing
            values = np.broadcast_to(values, len(self.groups.slices))
        return Input(values, fixed=True)


def flattened(
    operations: Sequence[Operation],
    by_row: Sequence[int],
    wanted: Sequence[int],
    in_turns: set[int],
) -> tuple[Flat, list[int]]:
    """Give each operation over rows its slots; a slot is used again once its value is done.

    Returns
    -------
    The operations, and the numbers of the inputs.
    """
    every = {*by_row}
    ordered = [*(n for n in by_row if n not in in_turns), *(n for n in by_row if n in in_turns)]
    last = {part: number for number in ordered for part in operations[number].parts}
    last |= dict.fromkeys(wanted, -1)
    for part, number in last.items():
        if number in in_turns and part not in in_turns:
            last[part] = -1  # it is used in the next turn again
    outside = [part for part in last if part not in every]
    constants = [each for each in outside if operations[each].name == "constant"]
    inputs = [each for each in by_row if operations[each].name == "input"]
    inputs += [each for each in outside if operations[each].name != "constant"]
    slots = {number: slot for slot, number in enumerate((*inputs, *constants))}
    first = count = len(slots)
    truths: set[int] = set()
    free: dict[bool, list[int]] = {True: [], False: []}
    steps: list[Any] = []
    turns: list[Any] = []
    for number in ordered:
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
        step = (operation, tuple([slots[part] for part in operation.parts]), slot)
        (turns if number in in_turns else steps).append(step)
        slots[number] = slot
        for part in {*operation.parts}:
            if last[part] == number and slots[part] >= first:
                free[slots[part] in truths].append(slots[part])
    constant = [operations[each].what for each in constants]
    results = [slots[each] for each in wanted]
    largest = {place for place, each in enumerate(wanted) if each in in_turns}
    return Flat(constant, steps, turns, truths, count, results, largest, {}), inputs
