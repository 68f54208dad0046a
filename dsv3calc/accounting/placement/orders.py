"""The order of each rank's passes under every pipeline schedule, from the published orders."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

F, B, INPUTS, WEIGHTS = "F", "B", "I", "W"
"""Forward, whole backward, backward for the inputs, and for the weights."""

Pass = tuple[str, int, int]
"""Which of the four, of which of the rank's chunks, and for which of the chunk's micro-batches."""

Step = tuple[Pass, ...]
"""A pass, or a forward and a backward pass that overlap."""


class Order:
    """Collects a rank's passes; those of a chunk take the micro-batches one after the other."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.owed: deque[tuple[int, int]] = deque()
        self._counts: dict[tuple[bool, int], int] = defaultdict(int)

    def do(self, *passes: str) -> None:
        """Append a step: a pass such as ``F0``, or a forward and a backward that overlap."""
        self.steps.append(tuple(self._numbered(each) for each in passes))

    def repeat(self, times: int, *passes: str) -> None:
        """Append passes that follow each other, all of them again and again."""
        for _ in range(times):
            for each in passes:
                self.do(each)

    def _numbered(self, name: str) -> Pass:
        if name == WEIGHTS:  # whichever has waited longest
            return (WEIGHTS, *self.owed.popleft())
        kind, chunk = name[0], int(name[1:])
        if kind == WEIGHTS:
            micro_batch = next(number for own, number in self.owed if own == chunk)
            self.owed.remove((chunk, micro_batch))
            return kind, chunk, micro_batch
        counter = (kind == F, chunk)
        micro_batch = self._counts[counter]
        self._counts[counter] += 1
        if kind == INPUTS:
            self.owed.append((chunk, micro_batch))
        return kind, chunk, micro_batch


def order_of(schedule: str, rank: int, pp: int, chunks: int, micro_batches: int) -> list[Step]:
    """List a rank's steps.

    ``chunks`` are those of a rank; ``micro_batches`` those of a replica in a step, under DualPipe
    of both directions together.
    """
    order = Order()
    _ORDERS[schedule](order, rank, pp, chunks, micro_batches)
    return order.steps


def _gpipe(order: Order, _rank: int, _pp: int, _chunks: int, micro_batches: int) -> None:
    order.repeat(micro_batches, "F0")
    order.repeat(micro_batches, "B0")


def _one_forward_one_backward(
    order: Order, rank: int, pp: int, _chunks: int, micro_batches: int
) -> None:
    ahead = 0
    for done in range(micro_batches):
        while ahead < micro_batches and ahead - done < pp - rank:
            order.do("F0")
            ahead += 1
        order.do("B0")


def _interleaved(order: Order, rank: int, pp: int, chunks: int, micro_batches: int) -> None:
    turns = [
        chunk
        for _ in range(micro_batches // pp)
        for chunk in range(chunks)
        for _ in range(pp)
    ]  # fmt: skip
    ahead = 0
    for done, chunk in enumerate(turns):
        while ahead < len(turns) and ahead - done <= 2 * (pp - rank - 1) + (chunks - 1) * pp:
            order.do(f"F{turns[ahead]}")
            ahead += 1
        order.do(f"B{chunks - 1 - chunk}")


def _zb1p(order: Order, rank: int, pp: int, _chunks: int, micro_batches: int) -> None:
    ahead = 0
    for done in range(micro_batches):
        while ahead < micro_batches and ahead - done < pp - rank:
            order.do("F0")
            ahead += 1
        order.do("I0")
        if len(order.owed) > rank:
            order.do("W0")
    while order.owed:
        order.do("W0")


def _zbv(order: Order, rank: int, pp: int, _chunks: int, micro_batches: int) -> None:
    below = pp - rank
    order.repeat(2 * below - 1, "F0")
    order.repeat(rank, "F1", "F0")
    order.repeat(below, "F1", "I1", "W1")
    both = micro_batches - 2 * pp + rank + 1
    order.repeat(both, "F0", "I0", "W0", "F1", "I1", "W1")
    order.repeat(micro_batches - pp - both, "I0", "W0", "F1", "I1", "W1")
    order.repeat(rank, "I0", "I1")
    order.repeat(below, "I0", "W0")
    order.repeat(rank, "W1")
    order.repeat(rank, "W0")


def _dualpipev(order: Order, rank: int, pp: int, _chunks: int, micro_batches: int) -> None:
    _bidirectional(order, rank, pp, micro_batches, ("0", "1"))


def _dualpipe(order: Order, rank: int, pp: int, _chunks: int, micro_batches: int) -> None:
    """Ranks of the second half do the same with the directions exchanged."""
    half = min(rank, pp - 1 - rank)
    near, far = ("0", "1") if rank == half else ("1", "0")
    _bidirectional(order, half, pp // 2, micro_batches // 2, (near, far))


def _bidirectional(
    order: Order, rank: int, ranks: int, micro_batches: int, chunks: tuple[str, str]
) -> None:
    """DualPipe's eight steps as seen from the outer end; ``micro_batches`` are those of a chunk."""
    near, far = chunks
    rest, own = ranks - rank - 1, rank + 1
    order.repeat(2 * rest, F + near)
    order.repeat(own, F + near, F + far)
    order.repeat(rest, INPUTS + far, WEIGHTS, F + far)
    for number in range(micro_batches - 2 * ranks + own):
        if number == 0 and not rest:
            order.repeat(1, F + near, B + far)
        else:
            order.do(F + near, B + far)
        order.do(F + far, B + near)
    for _ in range(rest):
        order.do(B + far)
        order.do(F + far, B + near)
    for number in range(2 * own):
        order.do((B if number < own else INPUTS) + (near if number % 2 else far))
    order.repeat(rest, WEIGHTS, INPUTS + near)
    order.repeat(own, WEIGHTS)


_ORDERS: dict[str, Callable[[Order, int, int, int, int], None]] = {
    "gpipe": _gpipe,
    "1f1b": _one_forward_one_backward,
    "interleaved": _interleaved,
    "zb1p": _zb1p,
    "zbv": _zbv,
    "dualpipe": _dualpipe,
    "dualpipev": _dualpipev,
}
