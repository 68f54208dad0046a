"""The fewest GPUs of a layout of training whose pp, ep and dp are free: a search by their number.

Beyond the smallest number of replicas that a stage's experts allow, more replicas never take more
memory: only what ZeRO divides depends on them. So their fewest follow from pp and ep, and are found
by bisection. Where a step's sequences are given, replicas change what is in flight too, and each
number is tried.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory.worst_rank import needs_all_ranks
from dsv3calc.accounting.placement.expert_slots import slots_of_layers
from dsv3calc.accounting.placement.schedules import virtual_stages
from dsv3calc.errors import UsageError
from dsv3calc.model.architecture import architecture_of
from dsv3calc.numbers.divisors import divisors
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.studies.layout.build import refuse
from dsv3calc.studies.layout.expert_degrees import with_searched_etp
from dsv3calc.studies.search.bisection import least
from dsv3calc.studies.search.counted import TrainingBlock
from dsv3calc.studies.search.layouts import Held
from dsv3calc.studies.search.recording import Recording
from dsv3calc.studies.search.rules import Combinations, holds, problems_of, training_rules
from dsv3calc.studies.search.run import Search
from dsv3calc.studies.search.space import (
    Constraint,
    Derived,
    Space,
    constants_of,
    count,
    row,
    rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.accounting.memory.footprint import Training
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.layout.expert_degrees import Rule as ExpertRule
    from dsv3calc.studies.search.rules import Rule
    from dsv3calc.studies.search.space import Columns

_COLUMNS = ("pp", "ep", "etp", "dp", "micro_batches")
"""What rules may read, beside what all layouts have in common."""

_LAST_STAGE = 3
_MOST_RANKS = 2**19
_LEAST = 0
"""The number of replicas that stands for the fewest that fit."""


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
        rule: ExpertRule,
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
        self.most = most
        self.closest = ""
        """The layout that is too large by the least, in words, where none fits."""
        self.width = layout.tp * layout.cp
        self.stepped = layout.global_batch is not None
        self.rules = [*_of_columns(training_rules(model, sequence, stepped=self.stepped))]
        self.axes = {"pp": self._stages(), "ep": self._groups(), "replicas": self._replicas()}
        self._in_common = Held(
            layout,
            sequence,
            model,
            None,
            {"": training},
            {},
            with_mtp=mtp,
            usable=usable,
        )

    def find(self) -> Layout | None:
        """Return the layout with the fewest GPUs, then stages, then expert GPUs; None if none fits.

        Raises
        ------
        UsageError
            If no layout is possible with what is held, or there are too many to be tried.
        """
        self._check_size()
        search = Search(
            self.layout,
            self.axes,
            self._derived(),
            {name: [value] for name, value in self._category.items()},
            self.rules,
            [],
            self._block,
            ("gpus",),
            whole=True,
            more=[
                Constraint(
                    "limit",
                    lambda columns: columns["gpus"] <= self.most,
                    ("gpus",),
                    f"no more than {self.most:,} GPUs",
                )
            ],
        )
        found = search.run()
        if not found and not search.refusals.over:
            self._refuse_all()
        if not found:
            excess, axes = search.refusals.misses[0]
            told = ", ".join(f"{name} {axes[name]:,}" for name in ("pp", "dp", "ep"))
            self.closest = f"{told} with {format_quantity(round(excess), 'B')} too much"
            return None
        axes = found[0].axes
        layout = msgspec.structs.replace(self.layout, pp=axes["pp"], dp=axes["dp"])
        return with_searched_etp(layout, self.rule, axes["ep"])

    def _check_size(self) -> None:
        """Refuse spaces with too many pipeline ranks, where each of them is looked at."""
        stages, groups = self.axes["pp"], self.axes["ep"]
        each = needs_all_ranks(self.model, self.layout)
        ranks = (sum(stages) if each else len(stages)) * len(groups)
        if ranks > _MOST_RANKS:
            raise UsageError(
                f"--fewest-gpus: {len(stages) * len(groups):,} pairs of pp and ep with {ranks:,} "
                f"pipeline ranks to look at, more than {_MOST_RANKS:,}",
                "hold one of them: --pp N or --ep N",
            )

    # --- the space

    def _stages(self) -> list[int]:
        """List the numbers of stages that are tried."""
        layout, depth = self.layout, self.model.num_hidden_layers
        if "pp" in self.held or isinstance(layout.layer_split, list):
            return [layout.pp]
        most = min(depth, (depth + 2) // chunks_of_rank(layout) or 1, self.most // self.width)
        return [*range(1, max(most, 2) + 1)]

    def _groups(self) -> list[int]:
        """List the numbers of GPUs that may share a layer's experts."""
        if "ep" in self.held:
            return [self.layout.ep]
        slots = slots_of_layers(self.model, self.layout)
        return [each for each in divisors(gcd(*slots) if slots else 1) if each <= self.most]

    def _replicas(self) -> list[int]:
        """List the numbers of replicas: the one that is held, or those that divide a step."""
        layout, batch = self.layout, self.layout.global_batch
        if "dp" in self.held:
            return [layout.dp]
        if batch is None:
            return [_LEAST]
        most = min(batch // layout.micro_batch, self.most // self.width)
        whole = [dp for dp in range(1, most + 1) if batch % (dp * layout.micro_batch) == 0]
        return whole or [1]  # which a rule refuses

    def _derived(self, *, fitting: bool = True) -> dict[str, Derived]:
        """Return the columns that follow from axes; ``fitting`` replicas are as many as fit."""
        return {
            "etp": Derived(("ep",), self._etp),
            "unit": Derived(("ep", "etp"), self._unit),
            "dp": Derived(
                ("pp", "ep", "etp", "unit", "replicas"), self._dp if fitting else self._fewest_dp
            ),
            "gpus": Derived(
                ("pp", "dp"), lambda columns: self.width * columns["pp"] * columns["dp"]
            ),
            "micro_batches": Derived(
                ("pp", "dp") if self.stepped else ("pp",), self._micro_batches
            ),
        }

    def _micro_batches(self, columns: Columns) -> Any:
        batch = self.layout.global_batch
        if batch is None:
            return 2 * columns["pp"]
        return batch // (columns["dp"] * self.layout.micro_batch)

    def _etp(self, columns: Columns) -> Any:
        import numpy as np

        ep = columns["ep"]
        etp = with_searched_etp(self.layout, self.rule, ep).etp
        return np.broadcast_to(np.asarray(etp, dtype=np.int64), np.shape(ep))

    def _unit(self, columns: Columns) -> Any:
        """Return the number of replicas of which any multiple holds whole groups of experts."""
        import numpy as np

        sharing = columns["ep"] * columns["etp"]
        return sharing // np.gcd(sharing, self.width)

    def _fewest_dp(self, columns: Columns) -> Any:
        """Return the replicas of each layout: as they are listed, or one unit."""
        import numpy as np

        return np.where(columns["replicas"] == _LEAST, columns["unit"], columns["replicas"])

    def _dp(self, columns: Columns) -> Any:
        """Return the replicas of each layout: as they are listed, or the fewest that fit."""
        import numpy as np

        unit = self._fewest_dp(columns)
        if self.axes["replicas"] != [_LEAST] or not len(unit):
            return unit
        cost = self.width * columns["pp"] * unit

        def fits(which: Any, times: Any) -> Any:
            part = rows(columns, which)
            block = self._block({**part, "dp": part["unit"] * times})
            return block.excess(self._category, block.memory(self._category)) <= 0

        one = fits(slice(None), 1)
        limit = min(self.most, int(cost[one].min(initial=self.most)))  # no more can be the fewest
        times = (limit // cost).clip(1)
        (which,) = np.nonzero(~one & fits(slice(None), times))
        most = times[which]
        times[which] = least(lambda some, times: fits(which[some], times), most * 0 + 2, most)
        times[one] = 1
        return unit * times

    # --- memory

    @cached_property
    def _category(self) -> dict[str, Any]:
        names = ("schedule", "virtual_pipeline", "layer_split", "sequence_parallel", "zero")
        return {"recompute": "", **{name: getattr(self.layout, name) for name in names}}

    @cached_property
    def _recording(self) -> Recording:
        """The memory of a layout, recorded once for all of them."""
        axes, derived = dict(self.axes), self._derived()
        if axes["replicas"] == [_LEAST]:  # no number of replicas, and dp none that is constant
            del axes["replicas"]
        named = ("pp", "ep", "etp", "dp")
        constants = constants_of(axes, derived)
        held = {name: int(constants[name]) for name in named if name in constants}
        return Recording(self._in_common, named, held)

    def _block(self, columns: Columns) -> TrainingBlock:
        return TrainingBlock(self._in_common, self._recording, columns)

    # --- where nothing is found

    def _refuse_all(self) -> None:
        """Say why no layout agrees with what is held: by the rule that leaves none."""
        columns = Space(self.axes, derived=self._derived(fitting=False)).candidates()
        for rule in self.rules:
            kept = holds(rule, self.layout, self._category, Combinations(columns))
            if not kept.any():
                last = row(columns, count(columns) - 1)
                refuse([*problems_of(rule, self.layout, {**self._category, **last})])
            columns = rows(columns, kept)
        least = int(columns["gpus"].min())
        raise UsageError(
            f"--fewest-gpus: what is given takes {least:,} GPUs, more than the {self.most:,} that "
            "are tried",
            "a smaller --tp, --cp, --dp, --pp or --ep",
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


def _of_columns(rules: Sequence[Rule]) -> Iterator[Rule]:
    """Yield rules by the columns that they read; what reads none has been checked before.

    GPUs follow from degrees here, so that these divide them.
    """
    for rule in rules:
        needs = tuple(name for name in rule.needs if name in _COLUMNS)
        if needs and "gpus" not in rule.needs:
            yield rule._replace(needs=needs)


def chunks_of_rank(layout: Layout) -> int:
    """Return how many virtual stages of the layer split are on a rank."""
    stages: int = virtual_stages(layout).value
    return stages // layout.pp
