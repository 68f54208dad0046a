"""The fewest GPUs of a layout whose degrees are free: the space of its pp, ep and dp.

Layouts are arrays, and each counts its fullest rank. Beyond the smallest number of replicas that a
stage's experts allow, more replicas never take more memory: only what ZeRO divides depends on them.
So their fewest are found by bisection. Where a step's sequences are given, replicas change what is
in flight too, and each number is tried.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache
from math import gcd
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory import worst_rank
from dsv3calc.accounting.placement.expert_slots import slots_of_layers
from dsv3calc.accounting.placement.schedules import virtual_stages
from dsv3calc.errors import UsageError
from dsv3calc.model.architecture import architecture_of
from dsv3calc.studies.layout.build import model_problems, refuse, training_problems
from dsv3calc.studies.layout.check import etp_problems, expert_problems
from dsv3calc.studies.layout.expert_degrees import with_searched_etp
from dsv3calc.studies.search.engine import LeastMultiple, first_accepted, in_blocks
from dsv3calc.studies.search.space import Constraint, Space, count, ordered, row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsv3calc.accounting.memory.footprint import Training
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.layout.build import Problem
    from dsv3calc.studies.layout.expert_degrees import Rule
    from dsv3calc.studies.search.space import Columns

_LAST_STAGE = 3
_MOST_RANKS = 2**19
_AT_ONCE = 25_000_000
"""Numbers that a footprint of several layouts holds in memory at once."""


class FewestGPUs:
    """The layouts that a request leaves open, and the one of them with the fewest GPUs.

    Parameters
    ----------
    layout
        The degrees that are held; 1 for those that are searched.
    rule
        What its etp follows from.
    held
        Which of dp, pp and ep are held.
    usable
        Bytes of a device that its fullest rank may take.
    most
        The most GPUs of a layout.
    """

    def __init__(
        self,
        model: Model,
        layout: Layout,
        rule: Rule,
        held: tuple[str, ...],
        training: Training,
        *,
        sequence: int,
        mtp: bool,
        usable: int,
        most: int,
    ) -> None:
        self.model = model
        self.layout = layout
        self.rule = rule
        self.held = held
        self.training = training
        self.sequence = sequence
        self.mtp = mtp
        self.usable = usable
        self.most = most
        self.width = layout.tp * layout.cp
        self.each = worst_rank.ranks_tried(model, layout, mtp=mtp)
        self.unit = cache(self._unit)

    def find(self) -> Layout | None:
        """Return the layout with the fewest GPUs, then stages, then expert GPUs; None if none fits.

        Raises
        ------
        UsageError
            If no layout is possible with what is held, or there are too many to be tried.
        """
        stages, groups = self.stages(), self.expert_groups()
        ranks = sum(self.each or pp for pp in stages) * len(groups)
        if ranks > _MOST_RANKS:
            raise UsageError(
                f"--fewest-gpus: {len(stages) * len(groups):,} pairs of pp and ep with {ranks:,} "
                f"pipeline ranks to look at, more than {_MOST_RANKS:,}",
                "hold one of them: --pp N or --ep N",
            )
        pairs = Space({"pp": stages, "ep": groups}).candidates()
        units = self._units(pairs)
        if self.layout.global_batch is None and "dp" not in self.held:
            gpus = self.width * pairs["pp"] * units
            pairs = ordered(pairs, gpus)
            return self._bisected(pairs)
        listed = self.space(stages, groups).candidates()
        if not count(listed):
            self._refuse_all(row(ordered(pairs, pairs["pp"] * units), 0))
        found = first_accepted(ordered(listed, listed["pp"] * listed["dp"]), self._fits)
        return None if found is None else self._at(**found)

    def _bisected(self, pairs: Columns) -> Layout | None:
        """Return the best layout of pairs of pp and ep with as many replicas as each needs."""
        units = self._units(pairs)

        def fits(pairs: Columns, times: Any) -> Any:
            return self._fits({**pairs, "dp": self._units(pairs) * times})

        found = LeastMultiple(pairs, self.width * pairs["pp"] * units, fits, self.most).find()
        if found is None:
            return None
        pair, times = found
        return self._at(**pair, dp=self.unit(pair["ep"]) * times)

    def _at(self, pp: Any, ep: Any, dp: Any) -> Layout:
        """Return the layout, or an array of them, with degrees that are searched."""
        layout = msgspec.structs.replace(self.layout, pp=pp, dp=dp)
        return with_searched_etp(layout, self.rule, ep)

    def _fits(self, columns: Columns) -> Any:
        """Say for each layout whether its fullest rank fits."""
        import numpy as np

        def fit(part: Columns) -> Any:
            layouts = self._at(**{name: each.astype(np.float64) for name, each in part.items()})
            totals = worst_rank.fullest(
                self.model, layouts, self.training, sequence=self.sequence, mtp=self.mtp
            )
            return totals <= self.usable

        lines = 1000 + 6 * self.layout.virtual_pipeline**2
        ranks = self.each or int(columns["pp"].max(initial=1))
        return in_blocks(columns, _AT_ONCE // lines // ranks, fit)

    # --- axes

    def stages(self) -> list[int]:
        """Return the numbers of stages to be tried.

        Raises
        ------
        UsageError
            If none of them is possible.
        """
        layout = self.layout
        given_pp = "pp" in self.held or isinstance(layout.layer_split, list)
        chunks = chunks_of_rank(layout)
        most = min(self.model.num_hidden_layers, (self.model.num_hidden_layers + 2) // chunks or 1)
        most = min(most, self.most // self.width)
        tried: Iterable[int] = [layout.pp] if given_pp else range(1, max(most, 2) + 1)
        problems: list[Problem] = []
        found = []
        for pp in tried:
            each = msgspec.structs.replace(layout, pp=pp)
            wrong = [
                *model_problems(self.model, each),
                *training_problems(self.model, each, self._micro_batches(pp)),
            ]
            if wrong:
                problems = wrong
            else:
                found.append(pp)
        if not found:
            refuse(problems)
        return found

    def _micro_batches(self, pp: int) -> int:
        """Return micro-batches that tell whether a schedule runs; those of dp come later."""
        dp, batch = self.layout.dp, self.layout.global_batch
        if batch is not None and "dp" in self.held:
            return batch // (dp * self.layout.micro_batch)
        return 2 * pp

    def expert_groups(self) -> list[int]:
        """Return the numbers of GPUs that may share a layer's experts."""
        if "ep" in self.held:
            return [self.layout.ep]
        slots = slots_of_layers(self.model, self.layout)
        common = gcd(*slots) if slots else 1
        groups = (ep for ep in range(1, min(common, self.most) + 1) if common % ep == 0)
        return [ep for ep in groups if self._experts_divide(ep)]

    def _experts_divide(self, ep: int) -> bool:
        tried = with_searched_etp(self.layout, self.rule, ep)
        problems = (*expert_problems(self.model, tried), *etp_problems(self.model, tried))
        return not problems

    def _unit(self, ep: int) -> int:
        """Return the number of replicas of which any multiple holds whole groups of experts."""
        sharing: int = ep * with_searched_etp(self.layout, self.rule, ep).etp
        return sharing // gcd(sharing, self.width)

    def _units(self, columns: Columns) -> Any:
        import numpy as np

        return np.array([self.unit(ep) for ep in columns["ep"].tolist()], dtype=np.int64)

    def replicas(self) -> list[int]:
        """Return the numbers of replicas: the one that is held, or those that divide a step."""
        layout, batch = self.layout, self.layout.global_batch
        if batch is None or "dp" in self.held:
            return [layout.dp]
        most = min(batch // layout.micro_batch, self.most // self.width)
        return [dp for dp in range(1, most + 1) if batch % (dp * layout.micro_batch) == 0]

    def space(self, stages: list[int], groups: list[int]) -> Space:
        """Return the space of layouts where each number of replicas is tried."""
        constraints = [
            Constraint(
                "replicas hold no whole groups of experts",
                lambda columns: columns["dp"] % self._units(columns) == 0,
            ),
            Constraint(
                f"more than {self.most:,} GPUs",
                lambda columns: self.width * columns["pp"] * columns["dp"] <= self.most,
            ),
        ]
        batch = self.layout.global_batch
        if batch is not None:
            constraints += [
                Constraint(
                    "the sequences of a step do not divide among replicas",
                    lambda columns: batch % (columns["dp"] * self.layout.micro_batch) == 0,
                ),
                Constraint("the schedule does not run", self._run),
            ]
        return Space({"pp": stages, "ep": groups, "dp": self.replicas()}, constraints)

    def _run(self, columns: Columns) -> list[bool]:
        """Say for each layout whether its schedule runs with the micro-batches of a replica."""
        layouts = (self._at(**row(columns, number)) for number in range(count(columns)))
        return [not self._problems_of_step(layout) for layout in layouts]

    def _problems_of_step(self, layout: Layout) -> list[Problem]:
        """Return what keeps the schedule from running, where a step's sequences are given."""
        if layout.global_batch is None:
            return []
        micro_batches = layout.global_batch // (layout.dp * layout.micro_batch)
        return [*training_problems(self.model, layout, micro_batches)]

    def _refuse_all(self, pair: dict[str, int]) -> None:
        """Say why no layout agrees with what is held."""
        layout = self._at(**pair, dp=self.layout.dp)
        refuse([(what, why) for _, what, why in layout.problems()])
        refuse(self._problems_of_step(layout))
        raise UsageError(
            f"no dp, pp and ep of up to {self.most:,} GPUs agree with what is held",
            "hold less: --global-batch, --dp, --pp, --ep",
        )

    def remedies(self) -> str:
        """Name the options that would take less memory: those that would change something."""
        layout = self.layout
        views = architecture_of(self.model).groups
        heads = gcd(*(heads for view in views for heads in view.heads))
        found = []
        if "full" not in self.training.recompute.modules:
            found.append("--recompute full")
        if layout.tp < heads:
            found.append("a larger --tp")
        if layout.tp > 1 and not layout.sequence_parallel:
            found.append("--sequence-parallel")
        if layout.zero < _LAST_STAGE and not ("dp" in self.held and layout.dp * layout.cp == 1):
            found.append("--zero 3" if layout.zero == _LAST_STAGE - 1 else "a higher --zero")
        if layout.micro_batch > 1:
            found.append("a smaller --micro-batch")
        found += [f"no --{axis}" for axis in self.held]
        if not found:
            return "a smaller --seq"
        return ", ".join(found[:-1]) + (" or " if found[1:] else "") + found[-1]


def chunks_of_rank(layout: Layout) -> int:
    """Return how many virtual stages of the layer split are on a rank."""
    stages: int = virtual_stages(layout).value
    return stages // layout.pp
