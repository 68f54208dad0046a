"""What layouts of a server give and take, over many of them at once: memory, times, prices.

The functions are those of ``serve``, called with columns in place of numbers. Layouts with as many
pipeline stages, and with experts on one GPU or on several, are counted together.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dsv3calc.accounting.memory.serving import Server as Memory
from dsv3calc.ledger.line import given
from dsv3calc.numbers import ops
from dsv3calc.schema.fields import LARGEST_COUNT
from dsv3calc.studies.search.bisection import largest
from dsv3calc.studies.search.conditions import Condition
from dsv3calc.studies.search.rules import layout_at
from dsv3calc.studies.search.space import count, rows
from dsv3calc.studies.serve.slo import TIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dsv3calc.ledger.line import Line
    from dsv3calc.schema.layout import Layout
    from dsv3calc.studies.memory.serving import Asked
    from dsv3calc.studies.search.space import Columns
    from dsv3calc.studies.serve.server import Server
    from dsv3calc.studies.serve.slo import Objective

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


def line_of(result: str, lines: Mapping[str, Line]) -> Line | None:
    """Return the line of ``serve`` that a result is; None where the answer has none."""
    return next((lines[name] for name in RESULTS[result] if name in lines), None)


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


class _Group:
    """Layouts that differ in degrees and the batch alone."""

    def __init__(self, held: Served, columns: Columns) -> None:
        from dsv3calc.numbers.in_columns import Table

        self.held = held
        varied = {name: each for name, each in columns.items() if each.min() != each.max()}
        self.table = Table(varied or columns)
        values = {
            name: self.table.column(name) if name in varied else int(each[0])
            for name, each in columns.items()
        }
        self.batch = values["batch"]
        self.layout = layout_at(held.base, values)

    def result(self, name: str) -> Any:
        """Return a time, a rate or a price of each layout."""
        line = line_of(name, self._times)
        assert line is not None  # noqa: S101 - asked of one layout before
        return self.table.values(line.value)

    @cached_property
    def _times(self) -> Mapping[str, Line]:
        found: Mapping[str, Line] = self.held.server.on(
            self.layout, prefill=self.held.prefill
        ).times(self.batch)
        return found

    @cached_property
    def memory(self) -> dict[str, Any]:
        """The bytes of the rank whose pool is spent first, the bytes too many, what it holds."""
        import numpy as np

        asked = self.held.asked
        tokens = ops.maximum(self.batch, asked.chunk)
        serving = msgspec.structs.replace(asked.serving, batch=self.batch, tokens=tokens)
        memory = Memory(asked.model.value, self.layout, asked.hardware.value, serving)
        best: dict[str, Any] = {}
        for rank in self._distinct(memory):
            found = self._rank(memory, rank)
            if not best:
                best = found
                continue
            less = found["most"] == best["most"]
            less = (found["most"] < best["most"]) | less & (found["tokens"] < best["tokens"])
            best = {name: np.where(less, each, best[name]) for name, each in found.items()}
        return best

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

    def _rank(self, memory: Memory, rank: int) -> dict[str, Any]:
        """Return what a rank takes, and what it holds; without limit where it has no cache."""
        import numpy as np

        name, values = f"serving.rank.{rank}", self.table.values
        taken = memory.taken(name, given(f"{name}.number", rank, "1"))
        excess = values(taken["total"].value) - values(memory.pool.budget().value)
        if memory.pool.software.pool != "device":
            over = values(taken["kv_bytes"].value) - values(taken["kv_pool"].value)
            excess = np.maximum(excess, over)
        found = {"total": values(taken["total"].value), "excess": excess}
        if ops.is_nothing(taken["kv_bytes_per_sequence"].value):
            nothing = np.where(excess > 0, 0, np.inf)
            return {**found, "most": nothing, "tokens": nothing}
        limits = memory.limits(name, taken)
        tokens = limits["kv_tokens"].value if "kv_tokens" in limits else np.inf
        return {
            **found,
            "most": values(limits["max_sequences"].value),
            "tokens": values(tokens),
        }


class ServingBlock:
    """The layouts of a block of combinations, each with its batch."""

    def __init__(self, held: Served, columns: Columns) -> None:
        import numpy as np

        self.rows = count(columns)
        self.gpus = columns["tp"] * columns["dp"] * columns["pp"]
        kinds = 2 * columns["pp"] + (columns["ep"] == 1)
        self.groups = []
        for kind in np.unique(kinds):
            (which,) = np.nonzero(kinds == kind)
            self.groups.append((which, _Group(held, rows(columns, which))))

    def result(self, name: str) -> Any:
        """Return a result of each layout, by its name."""
        if name == "gpus":
            return self.gpus
        if name == "memory":
            return self._joined(lambda group: group.memory["total"])
        return self._joined(lambda group: group.result(name))

    def memory(self, _: Mapping[str, Any]) -> Any:
        """Return the bytes of the fullest GPU of each layout."""
        return self.result("memory")

    def excess(self, _: Mapping[str, Any], __: Any) -> Any:
        """Return by how many bytes each layout is too large; none where it fits."""
        return self._joined(lambda group: group.memory["excess"])

    def most(self) -> Any:
        """Return the sequences that each holds beside the buffers of its batch."""
        return self._joined(lambda group: group.memory["most"])

    def of(self, name: str, _: Mapping[str, Any]) -> Any:
        """Return a result of each layout, by its name."""
        return self.result(name)

    def _joined(self, of: Callable[[_Group], Any]) -> Any:
        import numpy as np

        found = np.empty(self.rows)
        for which, group in self.groups:
            found[which] = of(group)
        return found


def largest_batches(held: Served, columns: Columns) -> Any:
    """Return the largest batch of each layout that memory holds and that meets ``--slo``.

    It is the smallest one where that does neither, and 0 where nothing limits it.
    """
    import numpy as np

    least = np.full(count(columns), held.server.least, dtype=np.int64)

    def block(which: Any, batch: Any) -> ServingBlock:
        return ServingBlock(held, {**rows(columns, which), "batch": batch})

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
