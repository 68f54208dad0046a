"""The results of layouts of training by category, whatever their degrees are made of.

Degrees are numbers, columns or recorded values.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory.footprint import Footprint
from dsv3calc.accounting.memory.in_common import InCommon
from dsv3calc.accounting.placement.schedules import replica_micro_batches
from dsv3calc.studies.search.rules import layout_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.accounting.memory.footprint import Training
    from dsv3calc.accounting.times.fold import Fold
    from dsv3calc.accounting.times.setting import Setting
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recompute
    from dsv3calc.schema.model import Model


class Held:
    """What all layouts of a search have in common.

    ``trainings`` and ``policies`` are by name of the policy of recomputation; ``setting`` is that
    of a step, with the layout that all others are made from; None where memory alone is asked for.
    ``usable`` are the bytes of a device that a process has, ``train_tokens`` those of a whole run;
    ``plain`` is a policy that recomputes nothing, None where there is none. ``together`` are the
    parts of categories that share most of what is computed for a layout.
    """

    __slots__ = (
        "_setting",
        "base",
        "model",
        "plain",
        "policies",
        "sequence",
        "together",
        "train_tokens",
        "trainings",
        "usable",
        "with_mtp",
    )

    def __init__(
        self,
        base: Layout,
        sequence: int,
        model: Model,
        setting: Setting | None,
        trainings: dict[str, Training],
        policies: dict[str, Recompute],
        *,
        with_mtp: bool,
        usable: int,
        train_tokens: int | None = None,
        together: Sequence[Mapping[str, Any]] = ({},),
    ) -> None:
        self.usable = usable
        self.train_tokens = train_tokens
        self.together = list(together)
        self.plain = next(
            (
                name
                for name, each in policies.items()
                if not (each.modules or each.saved_operations)
            ),
            None,
        )
        self.base = base
        self.sequence = sequence
        self.model = model
        self._setting = setting
        self.trainings = trainings
        self.policies = policies
        self.with_mtp = with_mtp

    @property
    def setting(self) -> Setting:
        """The setting of a step."""
        assert self._setting is not None  # noqa: S101 - there is one where a step is asked for
        return self._setting

    @property
    def tokens(self) -> int:
        """The tokens of a step."""
        sequences = self.base.global_batch
        assert sequences is not None  # noqa: S101 - a step has some where it is timed
        return sequences * self.sequence


class Layouts:
    """Layouts whose degrees are ``values``: name -> a number, a column or a recorded value."""

    def __init__(self, held: Held, values: Mapping[str, Any]) -> None:
        self.held = held
        self.values = values
        self._in_common = InCommon()
        self._folds: dict[Any, Fold] = {}

    def layout(self, category: Mapping[str, Any]) -> Layout:
        """Return the layouts under a category, as one."""
        return layout_at(self.held.base, {**self.values, **category})

    def footprint(self, category: Mapping[str, Any]) -> Footprint:
        """Return the memory of pipeline ranks."""
        layout = self.layout(category)
        return Footprint(
            self.held.model,
            layout,
            self.held.trainings[category["recompute"]],
            sequence=self.held.sequence,
            micro_batches=replica_micro_batches(layout),
            mtp=self.held.with_mtp,
            in_common=self._in_common,
        )

    def step(self, category: Mapping[str, Any]) -> Any:
        """Return the seconds of a step: the estimate, or the floor without one."""
        from dsv3calc.accounting.times.step import Step  # memory alone needs none of it

        fold = self._fold(self.layout(category))
        what = "floor" if fold.software is None else "estimate"
        recompute = self.held.policies[category["recompute"]]
        return Step(fold, recompute, what, self._in_common).step.value

    def _fold(self, layout: Layout) -> Fold:
        """Return the kernels of a step; they depend on no schedule, which the fold is given."""
        from dsv3calc.accounting.times.fold import Fold

        key = (layout.sequence_parallel, layout.zero)
        setting = self.held.setting
        if key not in self._folds:
            workload = msgspec.structs.replace(setting.workload, batch=layout.micro_batch)
            self._folds[key] = Fold(
                msgspec.structs.replace(setting, layout=layout, workload=workload)
            )
            self._folds[key].optimizer()  # once for all copies, as what is shown
            if self._folds[key].software is not None:
                self._folds[key].shown()
        fold = copy.copy(self._folds[key])
        fold.setting = msgspec.structs.replace(fold.setting, layout=layout)
        return fold

    def traffic(self, category: Mapping[str, Any]) -> Any:
        """Return the bytes that a GPU sends between domains in a step."""
        from dsv3calc.accounting.traffic.collectives import collective_lines
        from dsv3calc.accounting.traffic.experts import expert_lines

        held, setting = self.held, self.held.setting
        layout = self.layout(category)
        lines = collective_lines(
            "traffic",
            held.model,
            layout,
            hardware=setting.hardware,
            sequence=held.sequence,
            micro_batches=replica_micro_batches(layout),
            mtp=held.with_mtp,
        )
        if layout.ep != 1:
            more, _ = expert_lines(
                held.model,
                layout,
                setting.hardware,
                setting.exchange,
                sequence=held.sequence,
                with_mtp=held.with_mtp,
            )
            lines += more
        return sent_between_domains({line.name: line.value for line in lines})


def sent_between_domains(values: Mapping[str, Any]) -> Any:
    """Return the bytes that a GPU sends between scale-up domains in a training step.

    ``values`` are those of the lines of ``traffic`` by name.
    """
    from dsv3calc.accounting.traffic.collectives import KINDS

    names = (
        "traffic.step.scale_out_bytes",
        *(f"traffic.collectives.{kind}.scale_out_bytes" for kind in KINDS),
    )
    return sum(values[name] for name in names if name in values)
