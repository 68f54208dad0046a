"""The results of layouts recorded once for each category, to be run on any rows."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory.ranks import rank_line
from dsv3calc.accounting.memory.worst_rank import candidate_ranks
from dsv3calc.numbers.recorded import Record
from dsv3calc.studies.search.layouts import Layouts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.numbers.in_columns import Table
    from dsv3calc.numbers.program import Program
    from dsv3calc.numbers.rows import Groups
    from dsv3calc.studies.search.layouts import Held

RANK = "rank"
"""The input that is the pipeline rank, beside the degrees."""


def key_of(category: Mapping[str, Any]) -> str:
    """Return a category as a key, the same one whatever the order of its parts."""
    return repr(sorted(category.items()))


class Recording:
    """Results of layouts, as values of one record.

    Parameters
    ----------
    held
        What all layouts have in common.
    columns
        The degrees of layouts.
    constants
        Those of them that are the same in all layouts, with their number.
    compiled
        Whether many rows are computed by compiled code.
    """

    def __init__(
        self,
        held: Held,
        columns: Sequence[str],
        constants: Mapping[str, int],
        *,
        compiled: bool = False,
    ) -> None:
        self.compiled = compiled
        self.record = Record()
        self.inputs = tuple(name for name in columns if name not in constants)
        each = {name: self.record.input(name) for name in self.inputs}
        self.layouts = Layouts(held, {**constants, **each})
        self._rank = rank_line("memory.candidate", self.record.input(RANK))
        self._known: dict[tuple[str, str], Any] = {}
        self._programs: dict[tuple[str, ...], Program] = {}
        self._ranks: dict[tuple[Any, ...], tuple[int, ...]] = {}

    def value(self, result: str, category: Mapping[str, Any]) -> Any:
        """Return a result under a category.

        Raises
        ------
        NotRecordedError
            If it depends on a number that is an input.
        """
        key = (result, key_of(category))
        if key not in self._known:
            self._known[key] = getattr(self, f"_{result}")(category)
        return self._known[key]

    def _memory(self, category: Mapping[str, Any]) -> Any:
        """Return the bytes of one pipeline rank."""
        found = self.layouts.footprint(category).rank("memory.candidate", self._rank)
        return found.lines["total"].value

    def _step(self, category: Mapping[str, Any]) -> Any:
        return self.layouts.step(category)

    def _traffic(self, category: Mapping[str, Any]) -> Any:
        return self.layouts.traffic(category)

    def program(self, result: str, categories: Sequence[Mapping[str, Any]]) -> Program:
        """Return what computes a result under several categories, each in its place."""
        from dsv3calc.numbers.program import Program

        key = (result, *map(key_of, categories))
        if key not in self._programs:
            values = [self.value(result, each) for each in categories]
            self._programs[key] = Program(self.record, values)
        return self._programs[key]

    def run(
        self,
        result: str,
        categories: Sequence[Mapping[str, Any]],
        table: Table,
        groups: Groups | None = None,
    ) -> list[Any]:
        """Return a result of each row of a table, under several categories."""
        return self.program(result, categories).run(table, groups, compiled=self.compiled)

    def ranks(self, category: Mapping[str, Any], pp: int) -> tuple[int, ...]:
        """Return the pipeline ranks of which one is the fullest."""
        held = self.layouts.held
        names = ("schedule", "virtual_pipeline", "layer_split")
        key = (pp, *(repr(category[name]) for name in names))
        if key not in self._ranks:
            layout = msgspec.structs.replace(self.layouts.layout(category), pp=pp)
            found = candidate_ranks(held.model, layout, mtp=held.with_mtp)
            self._ranks[key] = tuple(each.value for each in found)
        return self._ranks[key]
