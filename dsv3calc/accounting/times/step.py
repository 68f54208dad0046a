"""A training step in seconds: the slowest pipeline rank, its bubble, sends, the optimizer."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.energy import energy_line
from dsv3calc.accounting.memory import worst_rank
from dsv3calc.accounting.memory.in_common import Categories, InCommon
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.placement.schedules import replica_micro_batches
from dsv3calc.accounting.placement.stages import Stages
from dsv3calc.accounting.times.fold import band_lines
from dsv3calc.accounting.times.ranks import Placed, Rank, RankTimes, Seconds, placed_rank
from dsv3calc.accounting.times.schedule import (
    bubble_line,
    paired_line,
    phase_lines,
    walk_line,
    walked,
)
from dsv3calc.accounting.times.utilisation import Work, utilisation_lines
from dsv3calc.accounting.traffic.collectives import collective_lines
from dsv3calc.formulas import economics
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dsv3calc.accounting.flops import FlopsLines
    from dsv3calc.accounting.placement.walk import Walk
    from dsv3calc.accounting.times.fold import Fold
    from dsv3calc.schema.memory import Recompute

TIMES = {"bound": "compute_time", "floor": "floor", "estimate": "estimate"}
"""Each time of a step -> what it adds up of kernels."""


class StepLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``train.step.{bound,floor,estimate,walk,p10,p90}`` [s], and what they are made of.

    ``phases`` are those of the slowest rank by the estimate, or by the floor without a set-up; the
    other lines follow from the same time.
    """

    steps: dict[str, Line]
    walk: dict[str, Line]
    band: dict[str, Line]
    phases: dict[str, Line]
    rates: list[Line]
    utilisation: list[Line]
    cost: list[Line]


class Step:
    """One time of a step: the phases of the slowest rank, and their sum.

    ``in_common`` has what steps share that differ in ``what`` or in categories of the layout alone.
    """

    def __init__(self, fold: Fold, recompute: Recompute, what: str, in_common: InCommon) -> None:
        layout = fold.setting.layout
        self.fold = fold
        self.what = what
        self.prefix = f"train.{what}"
        self.batches = replica_micro_batches(layout)
        by = Categories(layout, recompute.name)
        stages, placed = in_common.once(("step", by.placed), self._placed)
        times = in_common.once(
            ("kernels", what, by.kernels), lambda: RankTimes(fold, recompute, TIMES[what])
        )
        self.ranks, self.keys, passes = in_common.once(
            ("passes", what, by.kernels, by.placed), lambda: self._passes(times, stages, placed)
        )
        self.phases = dict(passes)
        self.others: dict[str, Line] = {}
        if what != "bound":
            self.others["optimizer"] = self._optimizer()
        if what == "estimate":
            self.others |= self._not_hidden(in_common.once(("sent", by.sent), self._sent))
        self.phases |= self.others
        self.step = total(f"train.step.{what}", list(self.phases.values()), unit="s")

    def _passes(
        self, times: RankTimes, stages: Stages, placed: Sequence[Placed]
    ) -> tuple[list[Rank], list[Line], dict[str, Line]]:
        """Give the ranks, how long a micro-batch takes on each, and the phases of the slowest."""
        layout = self.fold.setting.layout
        ranks = [times.of_rank(number, each, stages) for number, each in enumerate(placed)]
        keys = [
            total(f"{self.prefix}.rank.{number}.pass", list(each.seconds.values()), unit="s")
            for number, each in enumerate(ranks)
        ]
        slowest: Seconds = {
            each: combined(
                f"{self.prefix}.slowest.{each}",
                "at_largest",
                [*keys, *(rank.seconds[each] for rank in ranks)],
                unit="s",
                convention="of the rank that takes the longest per micro-batch",
            )
            for each in ranks[0].seconds
        }
        paired = paired_line(self.prefix, layout, keys, ranks, self.batches)
        phases = phase_lines(self.prefix, slowest, self.batches, paired)
        if self.what != "bound":
            phases["bubble"] = bubble_line(self.prefix, layout, slowest)
        return ranks, keys, phases

    def walk_lines(self, found: Walk | None) -> dict[str, Line]:
        """Give the step by the clock, beside the one by the closed form."""
        if found is None:
            return {}
        passes = walk_line(self.prefix, found, self.keys)
        words = f"by the {self.what}, each rank with its own stages"
        parts = [passes, *self.others.values()]
        return {"walk": total("train.step.walk", parts, unit="s", convention=words)}

    def _placed(self) -> tuple[Stages, list[Placed]]:
        """Give the stages, and what is on the ranks of which one is the slowest."""
        setting, mtp = self.fold.setting, self.fold.setting.conventions.mtp == "in"
        stages = Stages("train.split", setting.model, setting.layout, mtp=mtp)
        ranks = enumerate(self._ranks(mtp=mtp))
        return stages, [placed_rank(number, rank, stages) for number, rank in ranks]

    def _ranks(self, *, mtp: bool) -> Iterable[Any]:
        """List the ranks of which one is the slowest: all, or a few of each of several layouts.

        Ranks that hold the same take the same time, and the fullest of each content is among
        those that may be the fullest in memory.
        """
        setting, pp = self.fold.setting, self.fold.setting.layout.pp
        if type(pp) is int:
            return range(pp)
        found = worst_rank.candidate_ranks(setting.model, setting.layout, mtp=mtp)
        return [each.value for each in found]

    def _optimizer(self) -> Line:
        """Give the step of the optimizer on a rank, the mean over the pipeline."""
        layout = self.fold.setting.layout
        held = self.fold.optimizer()["floor"]
        copies = given("train.copies", 2 if layout.schedule == "dualpipe" else 1, "1", "of a stage")
        every = combined(f"{self.prefix}.optimizer.all_stages", "product", (held, copies))
        return combined(
            f"{self.prefix}.phase.optimizer",
            "ratio",
            (every, degree(layout, "pp")),
            unit="s",
            convention="mean over the pipeline ranks",
        )

    def _sent(self) -> dict[str, tuple[str, Line]]:
        """Give how long gradients' reductions and sends between stages last: kind -> axis, line."""
        setting, layout = self.fold.setting, self.fold.setting.layout
        if type(layout.gpus) is int and layout.gpus == 1:
            return {}
        lines = collective_lines(
            "train.sent",
            setting.model,
            layout,
            hardware=setting.hardware,
            sequence=setting.workload.sequence,
            micro_batches=self.batches,
            mtp=setting.conventions.mtp == "in",
        )
        by_name = {line.name: line for line in lines}
        found = {}
        for axis, kind in (("dp", "data_parallel"), ("pp", "pipeline")):
            place = f"train.sent.collectives.{kind}"
            seconds = by_name.get(f"{place}.achieved.time") or by_name[f"{place}.time"]
            found[kind] = (axis, seconds)
        return found

    def _not_hidden(self, sent: dict[str, tuple[str, Line]]) -> dict[str, Line]:
        """Give what the set-up does not hide of exchanges, by their kind.

        Each is hidden for no longer than what stands before it in the step: the passes, and what
        is not hidden of another one. So a step with longer passes is no shorter.
        """
        software = self.fold.software
        assert software is not None  # noqa: S101 - there is no estimate without one
        before = total(f"{self.prefix}.passes", list(self.phases.values()), unit="s")
        found: dict[str, Line] = {}
        for kind, (axis, seconds) in sent.items():
            shown, name = software.shown(axis), f"{self.prefix}.phase.{kind}"
            if found:
                before = total(f"{name}.before", [before, *found.values()], unit="s")
            if shown is None:
                found[kind] = combined(name, "product", (seconds,), unit="s")
                continue
            more = combined(f"{name}.more", "difference", (seconds, before), unit="s")
            share = combined(f"{name}.share", "product", (seconds, shown), unit="s")
            words = "what the set-up does not hide, and at least what is longer than the passes"
            found[kind] = combined(name, "maximum", (share, more), unit="s", convention=words)
        return found


def step_lines(
    fold: Fold,
    recompute: Recompute,
    counted: FlopsLines,
    train_tokens: int | None = None,
    pue: float = 1,
    *,
    by_the_clock: bool = True,
) -> tuple[StepLines, Walk | None]:
    """Give the seconds of a training step, the share of the peak, and what a run costs.

    ``counted`` are the FLOPs of a sequence; ``train_tokens`` those of a whole run. Beside the lines
    there is the step by the clock, None where it has too many passes or is not asked for. ``pue``
    is the power of the site over that of its devices.
    """
    setting = fold.setting
    names = [each for each in TIMES if each != "estimate" or fold.software is not None]
    in_common = InCommon()
    steps = {name: Step(fold, recompute, name, in_common) for name in names}
    last = steps[names[-1]]
    found = walked(setting.layout, last.ranks, last.batches) if by_the_clock else None
    scope = ("layout", setting.layout)
    sequences = field(scope, "global_batch", "1")
    length = field(("workload", setting.workload), "sequence", "tokens")
    tokens = combined("train.tokens", "product", (sequences, length), unit="tokens")
    gpus = combined(
        "train.gpus", "product", [degree(setting.layout, axis) for axis in ("tp", "cp", "pp", "dp")]
    )
    rate = combined(
        "train.tokens_per_second",
        "ratio",
        (tokens, last.step),
        unit="tokens/s",
        convention=f"by the {last.what}",
    )
    day = given("train.day", 86_400, "s/d")
    phases = {
        name: total(f"train.phase.{name}", (line,), convention=f"by the {last.what}")
        for name, line in last.phases.items()
    }
    lines = StepLines(
        steps={name: each.step for name, each in steps.items()},
        walk=last.walk_lines(found),
        band=band_lines("train.step", fold, last.step) if last.what == "estimate" else {},
        phases=phases,
        rates=[rate, combined("train.tokens_per_day", "product", (rate, day), unit="tokens/d")],
        utilisation=utilisation_lines(fold, recompute, counted, Work(last.step, tokens, gpus)),
        cost=[
            *_cost(fold, rate, gpus, train_tokens, pue),
            *_energy(fold, combined("train.gpu_rate", "ratio", (rate, gpus)), tokens, pue),
        ],
    )
    return lines, found


def _cost(fold: Fold, rate: Line, gpus: Line, train_tokens: int | None, pue: float) -> list[Line]:
    if train_tokens is None:
        return []
    run = given("train.tokens_of_run", train_tokens, "tokens")
    elapsed = combined("train.seconds_of_run", "ratio", (run, rate), unit="s")
    seconds = combined("train.gpu_time", "product", (elapsed, gpus), unit="s")
    hour = given("train.hour", 3600, "s")
    found = [combined("train.gpu_hours", "ratio", (seconds, hour), unit="1")]
    hardware = fold.setting.hardware
    energy = energy_line("train.joules", seconds, hardware, pue)
    if energy is not None:
        found.append(combined("train.energy", "ratio", (energy, hour), unit="Wh"))
    if hardware.dollars_per_hour is not None:
        price = field(("hardware", hardware), "dollars_per_hour", "USD/h")
        found.append(
            computed("train.dollars", economics.gpu_cost, gpu_time=seconds, dollars_per_hour=price)
        )
    return found


def _energy(fold: Fold, gpu_rate: Line, tokens: Line, pue: float) -> list[Line]:
    """Give the energy of a trained token and of a step, where the device has a power limit."""
    of_token = combined("train.gpu_seconds_of_a_token", "ratio", (ONE, gpu_rate), unit="s")
    each = energy_line("train.energy_per_token", of_token, fold.setting.hardware, pue)
    if each is None:
        return []
    step = combined("train.energy_per_step", "product", (each, tokens), unit="J")
    return [each, step]
