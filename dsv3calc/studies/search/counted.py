"""What layouts of training take, over many of them at once: memory, the time of a step, traffic.

The functions are those of queries about one layout, called with columns in place of numbers.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory import worst_rank
from dsv3calc.accounting.memory.footprint import Footprint
from dsv3calc.accounting.placement.schedules import replica_micro_batches
from dsv3calc.accounting.times.fold import Fold
from dsv3calc.accounting.times.step import Step
from dsv3calc.accounting.traffic.collectives import KINDS, collective_lines
from dsv3calc.accounting.traffic.experts import expert_lines
from dsv3calc.formulas import economics
from dsv3calc.studies.search.rules import layout_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsv3calc.accounting.memory.footprint import Training
    from dsv3calc.accounting.times.setting import Setting
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recompute
    from dsv3calc.studies.search.space import Columns


class Held:
    """What all layouts of a search have in common.

    ``trainings`` and ``policies`` are by name of the policy of recomputation; ``setting`` is that
    of a step, with the layout that all others are made from. ``usable`` are the bytes of a device
    that a process has, ``train_tokens`` those of a whole run; ``plain`` is a policy that recomputes
    nothing, None where there is none.
    """

    __slots__ = (
        "base",
        "plain",
        "policies",
        "sequence",
        "setting",
        "train_tokens",
        "trainings",
        "usable",
        "with_mtp",
    )

    def __init__(
        self,
        base: Layout,
        sequence: int,
        setting: Setting,
        trainings: dict[str, Training],
        policies: dict[str, Recompute],
        *,
        with_mtp: bool,
        usable: int,
        train_tokens: int | None = None,
    ) -> None:
        self.usable = usable
        self.train_tokens = train_tokens
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
        self.setting = setting
        self.trainings = trainings
        self.policies = policies
        self.with_mtp = with_mtp


class TrainingBlock:
    """The layouts of a block of combinations, with what stays the same between categories."""

    def __init__(self, held: Held, columns: Columns) -> None:
        from dsv3calc.numbers.in_columns import Table

        self.held = held
        varied = {name: each for name, each in columns.items() if each.min() != each.max()}
        self.table = Table(varied or columns)
        self.values: dict[str, Any] = {
            name: self.table.column(name) if name in varied else int(each[0])
            for name, each in columns.items()
        }
        self._folds: dict[Any, Fold] = {}
        self._timed: tuple[dict[str, Any], Any] | None = None

    def layout(self, category: Mapping[str, Any]) -> Layout:
        """Return the layouts of the block under a category, as one with columns in it."""
        return layout_at(self.held.base, {**self.values, **category})

    def bounded_by(self, category: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a category whose times and bytes sent are no larger; None where none is known.

        It is the one without recomputation, which only adds kernels to a step.
        """
        plain = self.held.plain
        if plain is None or category["recompute"] == plain:
            return None
        return {**category, "recompute": plain}

    def of(self, result: str, category: Mapping[str, Any]) -> Any:
        """Return a result of each layout, by its name."""
        return getattr(self, result)(category)

    def excess(self, _: Mapping[str, Any], memory: Any) -> Any:
        """Return by how many bytes each layout is too large; none where it fits."""
        return memory - self.held.usable

    def memory(self, category: Mapping[str, Any]) -> Any:
        """Return the bytes of the fullest rank of each layout."""
        layout = self.layout(category)
        footprint = Footprint(
            self.held.setting.model,
            layout,
            self.held.trainings[category["recompute"]],
            sequence=self.held.sequence,
            micro_batches=replica_micro_batches(layout),
            mtp=self.held.with_mtp,
        )
        return self.table.values(worst_rank.worst(footprint).total.value)

    def step_time(self, category: Mapping[str, Any]) -> Any:
        """Return the seconds of a step of each layout: the estimate, or the floor without one."""
        if self._timed is not None and self._timed[0] == category:
            return self._timed[1]
        fold = self._fold(self.layout(category))
        what = "floor" if fold.software is None else "estimate"
        step = Step(fold, self.held.policies[category["recompute"]], what)
        self._timed = (dict(category), self.table.values(step.step.value))
        return self._timed[1]

    def tokens_per_second_per_gpu(self, category: Mapping[str, Any]) -> Any:
        """Return the tokens of a step over its seconds and GPUs."""
        step = self.step_time(category)
        return self._tokens() / step / self.table.values(self.values["gpus"])

    def dollars(self, category: Mapping[str, Any]) -> Any:
        """Return the price of a whole run."""
        assert self.held.train_tokens is not None  # noqa: S101 - asked for with the objective
        elapsed = self.held.train_tokens / (self._tokens() / self.step_time(category))
        price = self.held.setting.hardware.dollars_per_hour
        assert price is not None  # noqa: S101 - asked for with the objective
        gpu_time = elapsed * self.table.values(self.values["gpus"])
        return economics.gpu_cost(gpu_time, price)

    def _tokens(self) -> int:
        sequences = self.held.base.global_batch
        assert sequences is not None  # noqa: S101 - a step has some where it is timed
        return sequences * self.held.sequence

    def _fold(self, layout: Layout) -> Fold:
        """Return the kernels of a step; they depend on no schedule, which the fold is given."""
        key = (layout.sequence_parallel, layout.zero)
        setting = self.held.setting
        if key not in self._folds:
            workload = msgspec.structs.replace(setting.workload, batch=layout.micro_batch)
            self._folds[key] = Fold(
                msgspec.structs.replace(setting, layout=layout, workload=workload)
            )
            if self._folds[key].software is not None:
                self._folds[key].shown()  # once for all copies
        fold = copy.copy(self._folds[key])
        fold.setting = msgspec.structs.replace(fold.setting, layout=layout)
        return fold

    def traffic(self, category: Mapping[str, Any]) -> Any:
        """Return the bytes that a GPU of each layout sends between domains in a step."""
        held, setting = self.held, self.held.setting
        layout = self.layout(category)
        lines = collective_lines(
            "traffic",
            setting.model,
            layout,
            hardware=setting.hardware,
            sequence=held.sequence,
            micro_batches=replica_micro_batches(layout),
            mtp=held.with_mtp,
        )
        if layout.ep != 1:
            more, _ = expert_lines(
                setting.model,
                layout,
                setting.hardware,
                setting.exchange,
                sequence=held.sequence,
                with_mtp=held.with_mtp,
            )
            lines += more
        values = {line.name: line.value for line in lines}
        return self.table.values(sent_between_domains(values))


SENT = (
    "traffic.step.scale_out_bytes",
    *(f"traffic.collectives.{kind}.scale_out_bytes" for kind in KINDS),
)
"""Lines of ``traffic`` that add up to what a GPU sends between domains in a step."""


def sent_between_domains(values: Mapping[str, Any]) -> Any:
    """Return the bytes that a GPU sends between scale-up domains in a training step."""
    return sum(values[name] for name in SENT if name in values)
