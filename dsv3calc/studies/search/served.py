"""What layouts of a server give and take, over many of them at once: memory, times, prices.

The functions are those of ``serve``, called with recorded values in place of numbers: once for
layouts with as many pipeline stages, and with experts on one GPU or on several.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dsv3calc.accounting.memory.serving import Server as Memory
from dsv3calc.ledger.line import given
from dsv3calc.numbers import ops
from dsv3calc.numbers.recorded import Record
from dsv3calc.schema.fields import LARGEST_COUNT
from dsv3calc.studies.search import beside
from dsv3calc.studies.search.bisection import largest
from dsv3calc.studies.search.conditions import Condition
from dsv3calc.studies.search.rules import layout_at
from dsv3calc.studies.search.space import count, rows
from dsv3calc.studies.serve.slo import TIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dsv3calc.ledger.line import Line
    from dsv3calc.numbers.program import Program
    from dsv3calc.schema.layout import Layout
    from dsv3calc.studies.memory.serving import Asked
    from dsv3calc.studies.search.space import Columns
    from dsv3calc.studies.serve.server import Server
    from dsv3calc.studies.serve.slo import Objective

_DEGREES = (
    "tp", "dp", "pp", "layer_split", "ep", "etp", "dcp", "redundant_experts", *beside.COLUMNS,
    "batch",
)  # fmt: skip
"""What layouts of a search differ in."""

_KIND = ("pp", "layer_split", "redundant_experts")
"""Columns of which layouts of a kind have one value: what is counted branches on them."""

_APART_FROM = (("ep", 1), ("prefill_gpus", 0), ("prefill_ep", 1))
"""Columns and a value of each, with which layouts are of another kind than without."""

_UNLIMITED = float("inf")

RESULTS = {
    **TIMES,
    "memory": ("serve.held",),
    "tokens_per_second_per_gpu": (
        "serve.disaggregated.tokens_per_second_per_gpu",
        "serve.aggregated.tokens_per_second_per_gpu",
        "serve.tokens_per_second_per_gpu.decode",
    ),
    "dollars": ("serve.dollars_per_million.output",),
}
"""Result -> the line of ``serve`` that it is: the first that the answer has."""


_APART = {
    "tokens_per_second_per_gpu": "serve.disaggregated.one_of_each.tokens_per_second_per_gpu",
}
"""The lines that take their place where some of the GPUs prefill, and the others decode."""


def line_of(result: str, lines: Mapping[str, Line], *, apart: bool = False) -> Line | None:
    """Return the line of ``serve`` that a result is; None where the answer has none.

    ``apart`` tells that some of the GPUs prefill, and the others decode.
    """
    names = (_APART[result],) if apart and result in _APART else RESULTS[result]
    return next((lines[name] for name in names if name in lines), None)


class Limit(Condition):
    """A limit of ``--slo`` as a condition of results."""

    rule, option = "slo", "--slo"

    def __init__(self, objective: Objective) -> None:
        name, admits = objective.name, objective.condition.admits
        super().__init__(objective.text, (name,), lambda values: admits(values[name]))


class Served(NamedTuple):
    """What all layouts of a search have in common.

    ``server`` and ``asked`` are ``serve`` and ``memory --serve`` on the layout that all others are
    made from; ``limits`` those of ``--slo``; ``prefill`` says whether a result needs prefill.
    """

    base: Layout
    server: Server
    asked: Asked
    limits: Sequence[Objective]
    prefill: bool


class _Rank(NamedTuple):
    """The memory of a pipeline rank: its bytes, those too many, the sequences and tokens it holds.

    Of those that it holds there is no limit where it has no cache.
    """

    total: Any
    excess: Any
    most: Any
    tokens: Any


class _Kind:
    """Layouts with as many stages, and with experts on one GPU or several, recorded once.

    ``constants`` are the degrees that all of them have.
    """

    def __init__(self, held: Served, constants: Mapping[str, int]) -> None:
        self.held = held
        self.constants = constants
        self.record = Record()
        self.inputs = tuple(name for name in _DEGREES if name not in constants)
        degrees = {name: self.record.input(name) for name in self.inputs}
        values = {**constants, **degrees}
        self.layout = layout_at(held.base, values)
        self.beside = None if constants.get("prefill_gpus") == 0 else values
        self.batch = degrees["batch"]
        self._programs: dict[str, Program] = {}

    def program(self, result: str) -> Program:
        """Return what computes a time, a rate or a price."""
        from dsv3calc.numbers.program import Program

        if result not in self._programs:
            line = line_of(result, self._times, apart=self.beside is not None)
            assert line is not None  # noqa: S101 - asked of one layout before
            self._programs[result] = Program(self.record, [line.value])
        return self._programs[result]

    @cached_property
    def _times(self) -> Mapping[str, Line]:
        held, other = self.held, self.beside
        apart = None if other is None else beside.layout_of(held.base, other)
        server = held.server.on(self.layout, prefill=held.prefill, beside=apart)
        found: Mapping[str, Line] = server.times(self.batch)
        return found

    @cached_property
    def ranks(self) -> Program:
        """What computes :class:`_Rank` of one rank after the other."""
        from dsv3calc.numbers.program import Program

        asked = self.held.asked
        tokens = ops.maximum(self.batch, asked.chunk)
        serving = msgspec.structs.replace(asked.serving, batch=self.batch, tokens=tokens)
        memory = Memory(asked.model.value, self.layout, asked.hardware.value, serving)
        every = [self._rank(memory, rank) for rank in self._distinct(memory)]
        return Program(self.record, [value for each in every for value in each])

    def _distinct(self, memory: Memory) -> list[int]:
        """List the first of the ranks that hold the same layers and ends."""
        stages = memory.stages
        found: dict[tuple[Any, ...], int] = {}
        for rank in range(self.layout.pp):
            name, number = f"serving.rank.{rank}", given("serving.rank", rank, "1")
            ends = (stages.embedding_stage, stages.head_stage)
            held = [*stages.layers(name, number), *(stages.has(name, number, end) for end in ends)]
            found.setdefault(tuple(line.value for line in held), rank)
        return [*found.values()]

    def _rank(self, memory: Memory, rank: int) -> _Rank:
        """Return what a rank takes, and what it holds; without limit where it has no cache."""
        name = f"serving.rank.{rank}"
        taken = memory.taken(name, given(f"{name}.number", rank, "1"))
        total = taken["total"].value
        excess = total - memory.pool.budget().value
        if memory.pool.software.pool != "device":
            over = taken["kv_bytes"].value - taken["kv_pool"].value
            excess = ops.maximum(excess, over)
        if ops.is_nothing(taken["kv_bytes_per_sequence"].value):
            nothing = ops.where(ops.exceeds(excess, 0), 0, _UNLIMITED)
            return _Rank(total, excess, nothing, nothing)
        limits = memory.limits(name, taken)
        tokens = limits["kv_tokens"].value if "kv_tokens" in limits else _UNLIMITED
        return _Rank(total, excess, limits["max_sequences"].value, tokens)


class Kinds:
    """The kinds of layouts of a search, each recorded once."""

    def __init__(self, held: Served) -> None:
        self.held = held
        self._known: dict[tuple[Any, ...], list[_Kind]] = {}

    def of(self, columns: Columns) -> _Kind:
        """Return the kind of layouts that have as many stages, and experts on one GPU or several.

        A degree that is 1 in all of them is recorded as 1: ``serve`` may not know how to time
        another.
        """
        ends = {name: (columns[name].min(), columns[name].max()) for name in _DEGREES}
        alike = {
            name: int(least)
            for name, (least, most) in ends.items()
            if name != "batch" and least == most and (least <= 1 or name in _KIND)
        }
        key = [alike[name] for name in _KIND]
        flags = (alike.get(name) == plain for name, plain in _APART_FROM)
        known = self._known.setdefault((*key, *flags), [])
        found = next((each for each in known if each.constants.items() <= alike.items()), None)
        if found is None:
            found = _Kind(self.held, alike)
            known.append(found)
        return found


class _Group:
    """Layouts of one kind."""

    def __init__(self, kind: _Kind, columns: Columns) -> None:
        from dsv3calc.numbers.in_columns import Table

        self.kind = kind
        self.table = Table({name: columns[name] for name in kind.inputs})

    def result(self, name: str) -> Any:
        """Return a time, a rate or a price of each layout."""
        return self.kind.program(name).run(self.table)[0]

    @cached_property
    def memory(self) -> _Rank:
        """The bytes of the rank whose pool is spent first, the bytes too many, what it holds."""
        import numpy as np

        values = self.kind.ranks.run(self.table)
        size = len(_Rank._fields)
        best, *others = (
            _Rank(*values[first : first + size]) for first in range(0, len(values), size)
        )
        for found in others:
            less = found.most == best.most
            less = (found.most < best.most) | less & (found.tokens < best.tokens)
            best = _Rank(*(np.where(less, *each) for each in zip(found, best, strict=True)))
        return best


class ServingBlock:
    """The layouts of a block of combinations, each with its batch."""

    def __init__(self, kinds: Kinds, columns: Columns) -> None:
        import numpy as np

        self.rows = count(columns)
        self.gpus = columns["gpus"]
        alike = np.zeros(self.rows, dtype=np.int64)
        for name in _KIND:
            alike = alike * (columns[name].max(initial=0) + 1) + columns[name]
        for name, plain in _APART_FROM:
            alike = 2 * alike + (columns[name] == plain)
        self.groups = []
        self._known: dict[str, Any] = {}
        for each in np.unique(alike):
            (which,) = np.nonzero(alike == each)
            part = rows(columns, which)
            self.groups.append((which, _Group(kinds.of(part), part)))

    def result(self, name: str) -> Any:
        """Return a result of each layout, by its name."""
        if name == "gpus":
            return self.gpus
        if name == "memory":
            return self._joined(lambda group: group.memory.total)
        if name not in self._known:
            self._known[name] = self._joined(lambda group: group.result(name))
        return self._known[name]

    def memory(self, _: Mapping[str, Any]) -> Any:
        """Return the bytes of the fullest GPU of each layout."""
        return self.result("memory")

    def excess(self, _: Mapping[str, Any], __: Any) -> Any:
        """Return by how many bytes each layout is too large; none where it fits."""
        return self._joined(lambda group: group.memory.excess)

    def most(self) -> Any:
        """Return the sequences that each holds beside the buffers of its batch."""
        return self._joined(lambda group: group.memory.most)

    def of(self, name: str, _: Mapping[str, Any]) -> Any:
        """Return a result of each layout, by its name."""
        return self.result(name)

    def _joined(self, of: Callable[[_Group], Any]) -> Any:
        import numpy as np

        found = np.empty(self.rows)
        for which, group in self.groups:
            found[which] = of(group)
        return found


def largest_batches(kinds: Kinds, columns: Columns) -> Any:
    """Return the largest batch of each layout that memory holds and that meets ``--slo``.

    It is the smallest one where that does neither, and 0 where nothing limits it.
    """
    import numpy as np

    held = kinds.held
    least = np.full(count(columns), held.server.least, dtype=np.int64)

    def block(which: Any, batch: Any) -> ServingBlock:
        return ServingBlock(kinds, {**rows(columns, which), "batch": batch})

    def fits(which: Any, batch: Any) -> Any:
        return block(which, batch).excess({}, None) <= 0

    def meets(which: Any, batch: Any) -> Any:
        return within(held.limits, block(which, batch))

    every = np.arange(len(least))
    smallest = block(every, least)
    possible = smallest.excess({}, None) <= 0
    which, found = every[possible], least.copy()
    most = np.minimum(smallest.most()[possible], LARGEST_COUNT).astype(np.int64)
    low = least[possible]
    most = largest(lambda some, batch: fits(which[some], batch), low, most)
    if held.limits:
        most = largest(lambda some, batch: meets(which[some], batch), low - 1, most)
        most = np.maximum(most, low)
    found[possible] = np.where(most == LARGEST_COUNT, 0, most)
    return found


def within(limits: Sequence[Objective], block: ServingBlock) -> Any:
    """Say of each layout whether it meets every limit."""
    import numpy as np

    met = np.ones(block.rows, dtype=bool)
    for each in limits:
        met &= each.condition.admits(block.result(each.name))
    return met
