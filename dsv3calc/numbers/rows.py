"""Operations over rows: a flat list of them on slots, computed by numpy in blocks."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsv3calc.numbers import in_numpy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.numbers.recorded import Operation

    Rows = Callable[["Flat", Sequence["Input"], int], list[Any]]
    """What computes operations over rows: the operations, their inputs, the number of rows."""

BLOCK = 8192
"""Rows of a block: its buffers stay in cache, and numpy's own work on a call is little beside."""


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
