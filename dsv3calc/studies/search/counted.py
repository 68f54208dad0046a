"""What layouts of training take, over many of them at once: memory, the time of a step, traffic.

The functions are those of queries about one layout, called with recorded values in place of
numbers: once for each category, whatever the number of layouts is. What cannot be recorded, because
it depends on a number, is computed with columns.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.memory import worst_rank
from dsv3calc.formulas import economics
from dsv3calc.numbers.recorded import NotRecordedError
from dsv3calc.studies.search.layouts import Layouts
from dsv3calc.studies.search.recording import RANK, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dsv3calc.numbers.rows import Groups
    from dsv3calc.studies.search.layouts import Held
    from dsv3calc.studies.search.recording import Recording
    from dsv3calc.studies.search.space import Columns

_MOST_KNOWN = 2**26
"""Numbers that are kept of a block: results of categories, a number for each layout."""


class TrainingBlock:
    """The layouts of a block of combinations, with what stays the same between categories.

    ``several`` says that all categories of a kind are asked about the block: what they share is
    computed once for them.
    """

    def __init__(self, held: Held, recording: Recording, columns: Columns) -> None:
        from dsv3calc.numbers.in_columns import Table

        self.held = held
        self.recording = recording
        self.several = False
        self.columns = columns
        inputs = recording.inputs
        self.order = _order(columns["pp"])
        self.table = Table(
            {
                name: columns[name] if self.order is None else columns[name].take(self.order)
                for name in inputs or columns
            }
        )
        self._by_columns: Layouts | None = None
        self._known: dict[tuple[str, str], Any] = {}

    def bounded_by(self, category: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a category whose times and bytes sent are no larger; None where none is known.

        It is the one without recomputation, which only adds kernels to a step.
        """
        plain = self.held.plain
        if plain is None or category["recompute"] == plain:
            return None
        return {**category, "recompute": plain}

    def group_of(self, category: Mapping[str, Any]) -> str:
        """Name the group of a category: of those that share most of what is computed."""
        own = self.held.together[0]
        return key_of({name: each for name, each in category.items() if name not in own})

    def of(self, result: str, category: Mapping[str, Any]) -> Any:
        """Return a result of each layout, by its name, or one of its columns."""
        if result in self.columns:
            return self.columns[result]
        return getattr(self, result)(category)

    def excess(self, _: Mapping[str, Any], memory: Any) -> Any:
        """Return by how many bytes each layout is too large; none where it fits."""
        return memory - self.held.usable

    def memory(self, category: Mapping[str, Any]) -> Any:
        """Return the bytes of the fullest rank of each layout."""
        return self._asked("memory", category, self._memories, self._memory_by_columns)

    def step_time(self, category: Mapping[str, Any]) -> Any:
        """Return the seconds of a step of each layout: the estimate, or the floor without one."""
        return self._asked("step", category, self._each("step"), self._of_columns("step"))

    def traffic(self, category: Mapping[str, Any]) -> Any:
        """Return the bytes that a GPU of each layout sends between domains in a step."""
        return self._asked("traffic", category, self._each("traffic"), self._of_columns("traffic"))

    def tokens_per_second_per_gpu(self, category: Mapping[str, Any]) -> Any:
        """Return the tokens of a step over its seconds and GPUs."""
        return self.held.tokens / self.step_time(category) / self.columns["gpus"]

    def dollars(self, category: Mapping[str, Any]) -> Any:
        """Return the price of a whole run."""
        assert self.held.train_tokens is not None  # noqa: S101 - asked for with the objective
        elapsed = self.held.train_tokens / (self.held.tokens / self.step_time(category))
        price = self.held.setting.hardware.dollars_per_hour
        assert price is not None  # noqa: S101 - asked for with the objective
        return economics.gpu_cost(elapsed * self.columns["gpus"], price)

    # --- recorded

    def _asked(
        self,
        result: str,
        category: Mapping[str, Any],
        run: Callable[[Sequence[Mapping[str, Any]]], Sequence[Any]],
        by_columns: Callable[[Mapping[str, Any]], Any],
    ) -> Any:
        """Return a result that is known, or compute it with those that share most with it."""
        key = (result, key_of(category))
        if key not in self._known:
            together: Sequence[Mapping[str, Any]] = [category]
            if self.several:
                together = [{**category, **each} for each in self.held.together]
            elif result == "step" and category["recompute"] == self.held.plain:
                plain = {"recompute": self.held.plain}
                together = [
                    {**category, **each}
                    for each in self.held.together
                    if each.items() >= plain.items()
                ]
            try:
                found = run(together)
            except NotRecordedError:
                return self._in_order(by_columns(category))
            if len(self._known) * self.table.rows > _MOST_KNOWN:
                self._known.clear()
            for each, values in zip(together, found, strict=True):
                self._known[result, key_of(each)] = self._in_order(values)
        return self._known[key]

    def _in_order(self, values: Any) -> Any:
        """Return the numbers of rows of the table as those of the columns."""
        import numpy as np

        if self.order is None:
            return values
        found = np.empty(len(values))
        found[self.order] = values
        return found

    def _each(self, result: str) -> Callable[[Sequence[Mapping[str, Any]]], Sequence[Any]]:
        return lambda together: self.recording.run(result, together, self.table)

    def _memories(self, together: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
        """Count the memory of the pipeline ranks that may be the fullest, and take the fullest."""
        return self.recording.run("memory", together, self.table, self._groups(together[0]))

    def _groups(self, category: Mapping[str, Any]) -> Groups:
        """Return the layouts by pp, with the ranks that may be the fullest."""
        import numpy as np

        from dsv3calc.numbers.rows import Groups

        pp = self.columns["pp"] if self.order is None else self.columns["pp"].take(self.order)
        starts = [0, *(np.flatnonzero(np.diff(pp)) + 1).tolist(), len(pp)]
        return Groups(
            [*pairwise(starts)],
            RANK,
            frozenset({"pp"} & {*self.recording.inputs}),
            [self.recording.ranks(category, int(pp[start])) for start in starts[:-1]],
        )

    # --- with columns

    @property
    def _layouts(self) -> Layouts:
        if self._by_columns is None:
            each = {
                name: self.table.column(name) if name in self.recording.inputs else int(values[0])
                for name, values in self.columns.items()
            }
            self._by_columns = Layouts(self.held, each)
        return self._by_columns

    def _of_columns(self, result: str) -> Callable[[Mapping[str, Any]], Any]:
        return lambda category: self.table.values(getattr(self._layouts, result)(category))

    def _memory_by_columns(self, category: Mapping[str, Any]) -> Any:
        footprint = self._layouts.footprint(category)
        return self.table.values(worst_rank.worst(footprint).total.value)


def _order(pp: Any) -> Any:
    """Return the order that puts layouts of the same pp together; None where they are."""
    import numpy as np

    if (pp[1:] >= pp[:-1]).all():
        return None
    narrow = pp.astype(np.min_scalar_type(int(pp.max())))  # up to 16 bits are sorted by digits
    return np.argsort(narrow, kind="stable")
