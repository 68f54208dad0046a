"""Operations over rows: a flat list of them on slots, computed by numpy in blocks."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsv3calc.numbers import in_numpy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dsv3calc.numbers.recorded import Operation

    Step = tuple[Operation, tuple[int, ...], int]
    Rows = Callable[["Flat", Sequence["Input"], "Groups", Sequence[Any]], None]
    """What computes operations over rows, and puts results into arrays."""

BLOCK = 8192
"""Rows of a block: its buffers stay in cache, and numpy's own work on a call is little beside."""


class Groups(NamedTuple):
    """Rows in groups: the rows of a group follow one another.

    ``fixed`` are axes that are the same in all rows of a group. The input ``name`` has each of the
    ``values`` of a group in turn, and a result is its largest over them.
    """

    slices: list[tuple[int, int]]
    name: str | None = None
    fixed: frozenset[str] = frozenset()
    values: Sequence[Sequence[float]] = ()

    def times(self, group: int) -> int:
        """Return how many values the input has in a group."""
        return len(self.values[group]) if self.values else 1

    def only(self, group: int) -> Groups:
        """Return these groups without the rows of the others."""
        none = [(0, 0)] * len(self.slices)
        none[group] = self.slices[group]
        return self._replace(slices=none)

    @property
    def table(self) -> Any:
        """Return the values by turn and group; the first again where a group has fewer."""
        most = max(map(len, self.values))
        every = [[*each, *[each[0]] * (most - len(each))] for each in self.values]
        return np.array(every, dtype=np.float64).T


class Input(NamedTuple):
    """Values that operations over rows begin with.

    ``places`` are which of them each row has: None where each has its own. Values that are
    ``fixed`` are those of groups. Where there are several of each, one for each turn, these are
    the first dimension.
    """

    values: Any
    places: Any = None
    fixed: bool = False

    @property
    def in_turns(self) -> bool:
        """Tell whether there is a value for each turn."""
        return bool(self.values.ndim > 1)


class Flat(NamedTuple):
    """Operations over rows, as places of a list of slots.

    Slots are first the inputs, then the ``constants``, then buffers, of which ``truths`` hold truth
    values. A step is an operation, the slots of what it is done to, and its own. Those of ``turns``
    are done for each value that an input has in a row. ``results`` are the slots of results, of
    which ``largest`` are the largest of all turns. ``codes`` is where compiled code of it is kept.
    """

    constants: list[float]
    steps: list[Step]
    turns: list[Step]
    truths: set[int]
    slots: int
    results: list[int]
    largest: set[int]
    codes: dict[Any, Any]


def function_of(name: str, what: Any) -> Callable[..., Any]:
    """Return a function of arrays that does an operation."""
    if name == "lookup":
        return lambda index: in_numpy.lookup(what, index)
    if name == "call":
        return lambda *values: in_numpy.elementwise(what, *values)
    if name == "apply":
        found: Callable[..., Any] = what
        return found
    function: Callable[..., Any] = in_numpy.where if name == "where" else getattr(np, name)
    return function


def by_numpy(flat: Flat, inputs: Sequence[Input], groups: Groups, found: Sequence[Any]) -> None:
    """Compute operations over rows block by block, each operation into a buffer."""
    if found:
        size = min(BLOCK, max((stop - start for start, stop in groups.slices), default=0))
        buffers = _Buffers(flat, inputs, size)
        for group, (start, stop) in enumerate(groups.slices):
            buffers.run(group, start, stop, groups.times(group), found)


def parts_of(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield parts of rows that are equally long; the last two may have rows in common."""
    if stop > start:
        count = -(-(stop - start) // size)
        length = -(-(stop - start) // count)
        for number in range(count):
            begin = min(start + number * length, stop - length)
            yield begin, begin + length


class _Buffers:
    """The buffers of operations over rows, used again for each block of rows."""

    def __init__(self, flat: Flat, inputs: Sequence[Input], size: int) -> None:
        self.flat = flat
        self.inputs = inputs
        self.size = size
        self.slots: list[Any] = [np.empty(() if each.fixed else size) for each in inputs]
        self.slots += [np.array(value) for value in flat.constants]
        self.slots += [
            np.empty(size, dtype=bool if slot in flat.truths else float)
            for slot in range(len(self.slots), flat.slots)
        ]
        self.functions = {
            id(step): _into(step[0]) for steps in (flat.steps, flat.turns) for step in steps
        }
        self.loads = [(slot, each) for slot, each in enumerate(inputs) if not each.in_turns]
        self.turned = [(slot, each) for slot, each in enumerate(inputs) if each.in_turns]

    def run(self, group: int, start: int, stop: int, times: int, found: Sequence[Any]) -> None:
        """Compute the rows of a group."""
        length = 0
        for begin, end in parts_of(start, stop, self.size):
            if end - begin != length:
                length = end - begin
                slots = [each[:length] if each.ndim else each for each in self.slots]
                steps, turns = self._on(self.flat.steps, slots), self._on(self.flat.turns, slots)
            for slot, each in self.loads:
                _load(slots[slot], each.values, each, group, slice(begin, end))
            _do(steps)
            for turn in range(times if turns else 1):
                for slot, each in self.turned:
                    _load(slots[slot], each.values[turn], each, group, slice(begin, end))
                _do(turns)
                self._take(slots, found, slice(begin, end), turn)

    def _take(self, slots: Sequence[Any], found: Sequence[Any], rows: slice, turn: int) -> None:
        """Take over the results of rows, or of a turn where it is not the first what is larger."""
        for number, slot in enumerate(self.flat.results):
            part = found[number][rows]
            if not turn:
                part[:] = slots[slot]
            elif number in self.flat.largest:
                np.maximum(part, slots[slot], out=part)

    def _on(self, steps: Sequence[Step], slots: Sequence[Any]) -> list[tuple[Any, list[Any], Any]]:
        """Return functions of steps, with what each is done to and where its value goes."""
        return [
            (self.functions[id(step)], [slots[part] for part in step[1]], slots[step[2]])
            for step in steps
        ]


def _load(slot: Any, values: Any, way: Input, group: int, rows: slice) -> None:
    """Put in an input of rows."""
    if way.fixed:
        slot[()] = values[group]
    elif way.places is None:
        slot[:] = values[rows]
    else:
        values.take(way.places[rows], out=slot, mode="clip")


def _do(steps: Sequence[tuple[Any, list[Any], Any]]) -> None:
    for function, arguments, out in steps:
        function(*arguments, out=out)


def _into(operation: Operation) -> Callable[..., Any]:
    """Return a function that does an operation, and writes what it gives into ``out``."""
    if operation.name == "where":
        return _where_into
    function = function_of(operation.name, operation.what)
    if operation.name in ("lookup", "call", "apply"):

        def found(*arguments: Any, out: Any) -> None:
            out[:] = function(*arguments)

        return found
    return function


def _where_into(condition: Any, a: Any, b: Any, out: Any) -> None:
    np.copyto(out, b)
    np.copyto(out, a, where=condition)
