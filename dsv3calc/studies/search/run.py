"""The search itself: blocks of degrees, categories over each of them, the best that fit."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
from collections import Counter
from math import prod
from typing import TYPE_CHECKING, Any

from dsv3calc.studies.search.best import Few, Found, Front, axes_in_order
from dsv3calc.studies.search.bounded import Bounded, part_of
from dsv3calc.studies.search.ledger import Refusals
from dsv3calc.studies.search.rules import Combinations, holds
from dsv3calc.studies.search.space import Constraint, Space, count, row, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dsv3calc.schema.layout import Layout
    from dsv3calc.studies.search.bounded import Part
    from dsv3calc.studies.search.conditions import Condition
    from dsv3calc.studies.search.rules import Rule
    from dsv3calc.studies.search.space import Columns, Derived

    Category = dict[str, Any]


WHERE = "where"
"""What refuses layouts that a condition of axes refuses."""

_FEW = 8
"""Rows less than one in so many of a block are counted as a block of their own."""

_SMALL = 2048
"""Rows of a block that is always counted whole."""

MORE_IS_BETTER = ("tokens_per_second_per_gpu",)
"""Objectives of which the largest is the best."""


class Search:
    """A search over degrees and categories.

    Parameters
    ----------
    base
        The layout that all others are made from.
    axes
        Candidates of the degrees, which are columns.
    derived
        Columns that follow from degrees.
    categories
        Candidates of what is no column; a layout is counted for each combination of them.
    rules
        What layouts must satisfy.
    conditions
        What the user asks for: of axes, and of results by name.
    block
        Makes what counts the layouts of a block: a method for each result. It is told whether
        ``several`` categories will be asked of it, or one.
    results
        The results that are wanted beside memory, by name; less is better in those that
        ``objectives`` name.
    most
        How many of the best are kept, where there is one objective.
    whole
        Whether memory is counted of every layout, though it cannot be among the best.
    more
        Further constraints on columns, checked after those that follow from rules.
    fewest
        Whether layouts are looked at by their number of GPUs, the first objective, until some
        satisfy everything; the others rank those. The ledger then has the layouts of fewer GPUs.
    refusals
        A ledger to be continued, that of a search over other GPUs.
    """

    def __init__(
        self,
        base: Layout,
        axes: Mapping[str, Sequence[int]],
        derived: Mapping[str, Derived],
        categories: Mapping[str, Sequence[Any]],
        rules: Sequence[Rule],
        conditions: Sequence[Condition],
        block: Callable[[Columns], Any],
        objectives: Sequence[str],
        *,
        most: int = 1,
        whole: bool = False,
        more: Sequence[Constraint] = (),
        fewest: bool = False,
        refusals: Refusals | None = None,
    ) -> None:
        self.base = base
        self.categories = {name: list(each) for name, each in categories.items()}
        self.block = block
        self.objectives = tuple(objectives)
        self.signs = [-1 if name in MORE_IS_BETTER else 1 for name in self.objectives]
        self.whole = whole
        self.axes = {**axes, **categories}
        self.words = {rule.name: rule.words for rule in rules}
        self.words |= {each.reason: each.words for each in more}
        times = Counter(rule.name for rule in rules)
        self.needs = {rule.name: rule.needs for rule in rules if times[rule.name] == 1}
        self._examples: dict[str, dict[str, Any]] = {}
        self.refusals = refusals or Refusals(
            *(rule.name for rule in rules), *(each.reason for each in more), WHERE
        )
        self.fewest = fewest
        self.best = Few(most) if fewest or len(self.objectives) == 1 else Front()
        columns = {*axes, *derived}
        known = columns | {*categories}
        self.rules = [rule for rule in rules if not columns.issuperset(rule.needs)]
        self.chosen = [
            each
            for each in conditions
            if known.issuperset(each.needs) and not columns.issuperset(each.needs)
        ]
        self.of_results = [each for each in conditions if not known.issuperset(each.needs)]
        self.space = Space(
            axes,
            [
                *(_constraint(rule, base) for rule in rules if columns.issuperset(rule.needs)),
                *(
                    Constraint(WHERE, each.holds, each.needs)
                    for each in conditions
                    if columns.issuperset(each.needs)
                ),
                *more,
            ],
            derived,
            times=prod(map(len, self.categories.values())),
        )
        self.orders = {**self.space.axes, **self.categories}

    @property
    def size(self) -> int:
        """The number of layouts of the space."""
        return self.space.size

    @property
    def candidates(self) -> int:
        """The layouts that pass all rules."""
        return self.size - sum(self.refusals.by_rule.values())

    @property
    def has_candidates(self) -> bool:
        """Whether any layout passes all rules."""
        return any(True for columns in self.space.blocks() for _ in self.leaves(columns))

    @property
    def examples(self) -> Mapping[str, Mapping[str, Any]]:
        """Rule -> the axes, as far as they were joined, of one layout that it refused."""
        return {**self._examples, **self.space.examples}

    def run(self) -> list[Found]:
        """Look at every layout, and return the best that fit, in order."""
        for columns in self.space.blocks():
            self._look_at(columns)
        for name, number in self.space.refused.items():
            self.refusals.refuse(name, number)
        return self.best.found

    # --- categories

    def leaves(self, columns: Columns) -> Iterator[tuple[Category, Any]]:
        """Yield each category with the rows that it may have."""
        import numpy as np

        everything = np.ones(count(columns), dtype=bool)
        yield from self._chosen({}, Combinations(columns), everything)

    def _chosen(
        self, category: Category, combinations: Combinations, mask: Any
    ) -> Iterator[tuple[Category, Any]]:
        names = list(self.categories)
        depth = len(category)
        if depth == len(names):
            yield dict(category), mask
            return
        rest = prod(len(self.categories[name]) for name in names[depth + 1 :])
        there = {*combinations.columns, *names[: depth + 1]}
        for value in self.categories[names[depth]]:
            more = {**category, names[depth]: value}
            left = mask
            for name, held in self._due(names[depth], there):
                kept = left & held(more, combinations)
                dropped = rest * int(left.sum() - kept.sum())
                self.refusals.refuse(name, dropped)
                if dropped and name not in self._examples:
                    first = int((left & ~kept).argmax())
                    self._examples[name] = {**row(combinations.columns, first), **more}
                left = kept
            if left.any():
                yield from self._chosen(more, combinations, left)

    def _due(self, axis: str, there: set[str]) -> Iterator[tuple[str, Any]]:
        """Yield the rules and conditions that can be checked once an axis is chosen."""
        for rule in self.rules:
            if axis in rule.needs and there.issuperset(rule.needs):
                yield rule.name, self._held_by(rule)
        for each in self.chosen:
            if axis in each.needs and there.issuperset(each.needs):
                yield (
                    WHERE,
                    lambda more, rows, each=each: each.holds({**rows.columns, **more}),
                )

    def _held_by(self, rule: Rule) -> Callable[[Category, Combinations], Any]:
        return lambda category, rows: holds(rule, self.base, category, rows)

    # --- blocks

    def _look_at(self, columns: Columns) -> None:
        """Count the layouts of a block, and take over the best of them."""
        leaves = list(self.leaves(columns))
        if not leaves:
            return
        counted = self.block(columns)
        counted.several = not self._bounded
        if not self._bounded:
            for category, mask in leaves:
                for part in self._in_turn(columns, mask):
                    self._count(counted, columns, category, part, None, None)
            return
        assert isinstance(self.best, Few)  # noqa: S101 - see _bounded
        order = Bounded(
            counted,
            leaves,
            (self.objectives[0], self.signs[0]),
            self.best,
            lambda masks: part_of(self.block, columns, masks),
            lambda category, mask: self._none_fits(counted, columns, category, mask),
        )
        for number, values, part in order.categories():
            self._count(counted, columns, *leaves[number], values, part)

    def _in_turn(self, columns: Columns, mask: Any) -> Iterator[Any]:
        """Yield the rows of a block together; for the fewest GPUs those of one number each."""
        import numpy as np

        if not self.fewest:
            yield mask
            return
        assert isinstance(self.best, Few)  # noqa: S101 - one number of GPUs is the best
        for gpus in np.unique(columns["gpus"][mask]):
            part = mask & (columns["gpus"] == gpus)
            if gpus > self.best.limit:
                self.refusals.pruned += int(part.sum())
                continue
            fewer = copy.deepcopy(self.refusals)
            yield part
            if self.best.found:
                self.refusals = fewer

    def _none_fits(self, counted: Any, columns: Columns, category: Category, mask: Any) -> bool:
        """Tell whether it is known that nothing of a category fits, while every row is counted."""
        assert isinstance(self.best, Few)  # noqa: S101 - see _bounded
        if self.best.limit < float("inf"):
            return False
        memory = self._memory(counted, columns, category, mask, None)
        return not (mask & (counted.excess(category, memory) <= 0)).any()

    @property
    def _bounded(self) -> bool:
        """Whether layouts that are worse than the best so far need not be counted further."""
        return isinstance(self.best, Few) and self.objectives[0] != "memory" and not self.whole

    def _count(
        self,
        counted: Any,
        columns: Columns,
        category: Category,
        mask: Any,
        first: Any,
        part: Part | None,
    ) -> None:
        results: dict[str, Any] = {}
        if first is not None:
            assert isinstance(self.best, Few)  # noqa: S101 - see _bounded
            better = mask & (first <= self.best.limit)
            self.refusals.pruned += int(mask.sum() - better.sum())
            mask, results[self.objectives[0]] = better, self.signs[0] * first
            if not mask.any():
                return
        memory = results["memory"] = self._memory(counted, columns, category, mask, part)
        excess = counted.excess(category, memory)
        fits = mask & (excess <= 0)
        over = (mask & ~fits).nonzero()[0]
        self.refusals.refuse_memory(excess[over], over, columns, category)
        if not fits.any():
            return
        for name in self._needed() - results.keys():
            results[name] = counted.of(name, category)
        wanted = fits
        for condition in self.of_results:
            kept = wanted & condition.holds({**columns, **category, **results})
            if condition.rule == "slo":
                self._note_nearest(condition, results, columns, wanted)
            self.refusals.unwanted[condition.rule] += int(wanted.sum() - kept.sum())
            wanted = kept
        self.refusals.fitting += int(wanted.sum())
        if not wanted.any():
            return
        if self.fewest:  # those of one number of GPUs are a few of the block
            columns = rows(columns, wanted)
            results = {name: each[wanted] for name, each in results.items()}
            counted, wanted = self.block(columns), wanted[wanted]
        for name in {*self.objectives} - results.keys():
            results[name] = counted.of(name, category)
        objectives = [
            sign * results[name] for sign, name in zip(self.signs, self.objectives, strict=True)
        ]
        met = self.best.chosen(objectives, wanted)
        self.best.add([self._found(columns, category, objectives, row) for row in met.tolist()])

    def _note_nearest(
        self, condition: Condition, results: Mapping[str, Any], columns: Columns, mask: Any
    ) -> None:
        """Keep the layout that is the nearest to a limit."""
        import numpy as np

        if mask.any():
            values = np.where(mask, results[condition.needs[0]], np.inf)
            row = int(values.argmin())
            axes = {name: int(each[row]) for name, each in columns.items()}
            self.refusals.note_nearest(condition.text, float(values[row]), axes)

    def _memory(
        self, counted: Any, columns: Columns, category: Category, mask: Any, part: Part | None
    ) -> Any:
        """Return the bytes of the layouts of a block that are asked for; of others any number."""
        import numpy as np

        nothing = np.zeros(len(mask))
        if part is not None:
            return part.put("memory", category, nothing)
        if len(mask) <= _SMALL or mask.sum() * _FEW > len(mask):
            none = isinstance(self.best, Few) and self.best.limit == float("inf")
            counted.several = none or not self._bounded  # of all categories, while nothing fits
            found = counted.memory(category)
            counted.several = not self._bounded
            return found
        nothing[mask] = self.block(rows(columns, mask)).memory(category)
        return nothing

    def _needed(self) -> set[str]:
        known = {*self.space.axes, *self.space.derived, *self.categories, "memory"}
        return {name for each in self.of_results for name in each.needs} - known

    def _found(
        self, columns: Columns, category: Category, objectives: Sequence[Any], row: int
    ) -> Found:
        axes = {name: int(each[row]) for name, each in columns.items()} | category
        order = axes_in_order(axes, self.orders)
        return Found(tuple(float(each[row]) for each in objectives), order, axes)


def _constraint(rule: Rule, base: Layout) -> Constraint:
    return Constraint(
        rule.name, lambda columns: holds(rule, base, {}, Combinations(columns)), rule.needs
    )
