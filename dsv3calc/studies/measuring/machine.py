"""What measuring asks of a device: kernels as calls, and the time of a round of calls."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

Calls: TypeAlias = "list[Callable[[], Any]]"
"""Calls of one kernel, each with operands of its own."""

EAGER, GRAPH = "eager", "graph"
"""Calls one by one from the host; calls recorded once and replayed by the device."""

MOST_COPIES = 256
DRAWN = 2**20
"""Random elements that are drawn; a pool repeats them."""
ALIGNED = 256
"""Elements at whose multiples operands begin."""
SHORTEST = 2e-3
"""Seconds that a host times at least, as far as there are calls with operands of their own."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says of itself.

    ``memory`` is what a process can allocate of it, ``cache`` its largest cache, in bytes;
    ``library`` is what ran the kernels, ``software`` its version with that of the driver.
    """

    title: str
    memory: int
    cache: int
    library: str
    software: str
    multiprocessors: int | None = None
    count: int = 1


def on_host(calls: Calls) -> Callable[[], float]:
    """Return what runs the next of the calls and gives the mean seconds of one."""
    place, count = 0, 1

    def run() -> float:
        nonlocal place, count
        chosen = [calls[(place + each) % len(calls)] for each in range(count)]
        place += count
        start = perf_counter()
        for call in chosen:
            call()
        seconds = perf_counter() - start
        one = seconds / count
        if seconds < SHORTEST:
            count = min(2 * count, len(calls))
        return one

    return run


class Machine(Protocol):
    """A device that can be measured. Operands are random, and dealt from a pool in turn."""

    facts: Facts
    modes: tuple[str, ...]
    dtypes: tuple[str, ...]

    def clocks(self) -> str:
        """Return the present clocks in words; empty where the device does not tell."""

    def round(self, calls: Calls, mode: str) -> Callable[[], float]:
        """Return what runs all calls and gives the mean seconds of one."""

    def product(self, dtype: str, rows: int, columns: int, depth: int) -> Calls:
        """Return products of activations with a weight; narrow ones cast the activations first."""

    def prefill(self, dtype: str, length: int, heads: int, shared: int, width: int) -> Calls:
        """Return causal attention over new tokens, with the write of keys and values."""

    def decode(
        self, dtype: str, batch: int, context: int, heads: int, shared: int, width: int
    ) -> Calls:
        """Return attention of one query for each sequence over a cache."""

    def experts(
        self, dtype: str, tokens: int, hit: int, each: int, hidden: int, inter: int
    ) -> Calls:
        """Return routed experts: ``hit`` of them, with ``each`` rows, permuted and combined."""

    def copy(self, size: int) -> Calls:
        """Return copies of so many bytes."""

    def collective(self, name: str, ranks: int, size: int) -> Calls | None:
        """Return a collective of a payload of bytes; None where the devices have none."""

    def release(self) -> None:
        """Give back what the last kernels held."""


class Dealer:
    """Blocks of a pool, one after the other: what was read longest ago comes first.

    ``fill`` makes a flat array of so many random elements; the pool is at least twice as large as
    the cache, so that no operand is still in it when its turn comes again.
    """

    def __init__(
        self, fill: Callable[[str, int], Any], bytes_of: Callable[[str], int], cache: int
    ) -> None:
        self._fill = fill
        self._bytes_of = bytes_of
        self._cold = 2 * cache
        self._pools: dict[str, Any] = {}
        self._next: dict[str, int] = {}

    def copies(self, size: int) -> int:
        """Return how many sets of operands of so many bytes are needed to outrun the cache."""
        return min(MOST_COPIES, max(2, -(-self._cold // max(size, 1)) + 1))

    def deal(self, dtype: str, *shape: int) -> Any:
        """Return the next block of a shape."""
        size = 1
        for each in shape:
            size *= each
        needed = max(2 * size, -(-self._cold // self._bytes_of(dtype)))
        pool = self._pools.get(dtype)
        if pool is None or len(pool) < needed:
            self._pools.pop(dtype, None)
            pool = self._pools[dtype] = self._fill(dtype, 2 * needed)
            self._next[dtype] = 0
        start = self._next[dtype]
        if start + size > len(pool):
            start = 0
        self._next[dtype] = -(-(start + size) // ALIGNED) * ALIGNED
        return pool[start : start + size].reshape(shape)

    def clear(self) -> None:
        """Drop all pools."""
        self._pools.clear()
