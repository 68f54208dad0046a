"""Which other degrees a query could give where those that it gives do not divide."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.placement.expert_slots import slots_of_layers
from dsv3calc.accounting.placement.schedules import replica_micro_batches
from dsv3calc.model.architecture import architecture_of, experts_of
from dsv3calc.studies.layout.build import (
    default_dp,
    head_problems,
    pipeline_problems,
    sequence_problems,
    training_problems,
)
from dsv3calc.studies.layout.check import etp_problems, expert_problems, width_problems
from dsv3calc.studies.layout.expert_degrees import STATED, Rule, divides, etp_of, rule_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

_GROUPING = ("ep", "etp", "dp", "tp", "cp")
"""Degrees of ep x etp x edp = tp x cp x dp."""

_MOST_TRIED = 8192
_MOST_CHECKED = 200
"""Values of a degree that are looked at on one side, and those of them that divide the stage."""


def _option(axis: str) -> str:
    return f"--{axis.replace('_', '-')}"


class Degrees:
    """The degrees of a query, and the values of one of them with which the layout passes.

    Parameters
    ----------
    model, layout
        The layout as the query states it, before etp follows from the other degrees.
    given
        Degrees that the query gives.
    stated
        Which of ep and etp the query or its preset states.
    serving
        Whether the layout serves.
    dp_follows
        Whether dp is the default, which follows from the other degrees.
    of_setup
        The rule of etp that a set-up names.
    """

    def __init__(
        self,
        model: Model,
        layout: Layout,
        *,
        given: Collection[str],
        stated: Collection[str],
        serving: bool,
        dp_follows: bool,
        of_setup: Rule | None = None,
    ) -> None:
        self.model = model
        self.layout = layout
        self.given = given
        self.stated = set(stated)
        self.serving = serving
        self.dp_follows = dp_follows
        self.of_setup = of_setup
        self._has_experts = bool(slots_of_layers(model, layout))  # refuses what no degree mends
        self._now = layout
        self._checks_steps = not serving

    @property
    def rule(self) -> Rule:
        """What etp follows from."""
        return rule_of(self.stated, serving=self.serving, of_setup=self.of_setup)

    def hint(self, sequence: int | None = None) -> str:
        """Name the values next to those given with which every rule holds; nothing if all hold."""
        layout = self._resolved({})
        self._now = layout or self.layout
        mending = list(self._faults(self._now, sequence))
        if layout is None:
            mending.insert(0, tuple(axis for axis in _GROUPING if axis in self.given))
        axes = [*dict.fromkeys(axis for each in mending for axis in each)]
        self._checks_steps = layout is None or not self._misses_steps(layout)
        found = self._choices(axes, sequence)
        if found or not axes:
            return found
        least = dict.fromkeys(each[0] for each in mending if each)
        return f"no change of one degree is enough: change {' and '.join(map(_option, least))}"

    def _choices(self, axes: Iterable[str], sequence: int | None) -> str:
        found = []
        for axis in axes:
            values = " or ".join(f"{value:,}" for value in self._nearest(axis, sequence))
            if values:
                found.append(f"{_option(axis)} {values}")
        return f"take {', or '.join(found)}" if found else ""

    def _nearest(self, axis: str, sequence: int | None) -> Iterator[int]:
        """Yield the last value below the given one, and the first above it, that pass."""
        now = min(getattr(self._now, axis), self._largest(axis) + 1)
        least = 0 if axis == "redundant_experts" else 1
        for values in (range(now - 1, least - 1, -1), range(now + 1, self._largest(axis) + 1)):
            tried = (self._resolved({axis: value}) for value in islice(values, _MOST_TRIED))
            divide = islice((each for each in tried if each is not None), _MOST_CHECKED)
            passing = (each for each in divide if self._passes(each, sequence))
            yield from (getattr(each, axis) for each in islice(passing, 1))

    def _largest(self, axis: str) -> int:
        """Return a bound above which no value of a degree passes, or is looked at."""
        model, layout = self.model, self.layout
        if axis == "tp":
            views = architecture_of(model).groups
            return min((heads for view in views for heads in view.heads), default=1)
        if axis == "pp":
            return model.num_hidden_layers
        if axis == "ep":
            return min(slots_of_layers(model, layout), default=1)
        if axis == "etp":
            return min((moe.moe_intermediate_size for moe in experts_of(model)), default=1)
        now: int = getattr(layout, axis)
        return now + _MOST_TRIED

    def _resolved(self, changes: dict[str, int]) -> Layout | None:
        """Return the layout with some degrees changed; None where ep x etp do not divide a stage.

        dp and etp follow from the others by the same rules as in the query.
        """
        layout = msgspec.structs.replace(self.layout, **changes)
        stated = self.stated | changes.keys()
        rule = rule_of(stated, serving=self.serving, of_setup=self.of_setup)
        if self.dp_follows and "dp" not in changes:
            grouped = layout
            if self._has_experts and rule is self.of_setup and rule.equals_tp:
                grouped = msgspec.structs.replace(layout, etp=layout.tp)
            layout = msgspec.structs.replace(layout, dp=default_dp(grouped))
        if rule is not STATED and self._has_experts:
            if not divides(layout, rule):
                return None
            etp = etp_of(rule, tp=layout.tp, dp=layout.dp, ep=layout.ep)
            layout = msgspec.structs.replace(layout, etp=etp)
        stage = layout.tp * layout.cp * layout.dp
        return None if stage % (layout.ep * layout.etp) else layout

    def _passes(self, layout: Layout, sequence: int | None) -> bool:
        if next(self._faults(layout, sequence), None) is not None:
            return False
        return not (self._checks_steps and self._misses_steps(layout))

    def _misses_steps(self, layout: Layout) -> bool:
        """Tell whether the layout's schedule does not run; serving has none."""
        if self.serving:
            return False
        steps = int(replica_micro_batches(layout).value)
        return next(training_problems(self.model, layout, steps), None) is not None

    def _faults(self, layout: Layout, sequence: int | None) -> Iterator[tuple[str, ...]]:
        """Yield for each rule that a layout breaks the degrees that may mend it."""
        model = self.model
        rules: list[tuple[Iterator[Any], tuple[str, ...]]] = [
            (layout.problems(), ()),
            (pipeline_problems(model, layout), ("pp",)),
            (head_problems(model, layout), ("tp",)),
            (width_problems(model, layout), ("tp",)),
            (etp_problems(model, layout), ("etp", "ep")),
            (expert_problems(model, layout), ("ep", "redundant_experts")),
        ]
        if sequence is not None:
            rules.append((sequence_problems(layout, sequence), ()))
        for problems, axes in rules:
            if next(problems, None) is not None:
                yield axes
