"""The fewest GPUs at which a training layout fits, among all of its dp, pp and ep that are free.

What a query gives as an option is held; a degree that only the preset of a layout names is free.
Tensor, context and expert-tensor parallelism, the schedule and everything else are held always.

Layouts are arrays, and each counts its fullest rank. Beyond the first number of replicas that a
stage's experts allow, at which there may be nobody to share with, more replicas never take more
memory: only what ZeRO divides depends on them. So their fewest are found by bisection. Where a
step's sequences are given, replicas change what is in flight too, and each number is tried.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory import worst_rank
from dsv3calc.accounting.memory.footprint import Footprint
from dsv3calc.accounting.placement.expert_slots import slots_of_layers
from dsv3calc.accounting.placement.schedules import replica_micro_batches, virtual_stages
from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.ledger.line import Line, combined, given
from dsv3calc.model.architecture import architecture_of
from dsv3calc.studies.layout.build import (
    DEGREES,
    check_grouping,
    fields_given,
    model_problems,
    refuse,
    training_problems,
)
from dsv3calc.studies.layout.check import (
    etp_problems,
    expert_problems,
    feed_forward_problems,
    width_problems,
)
from dsv3calc.studies.layout.choose import chosen_layout
from dsv3calc.studies.layout.degrees import Degrees
from dsv3calc.studies.layout.expert_degrees import (
    ONE,
    STATED,
    TP,
    Rule,
    told,
    with_etp,
    with_searched_etp,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dsv3calc.accounting.memory.footprint import Training
    from dsv3calc.accounting.memory.ranks import WorstLines
    from dsv3calc.queries.memory import MemoryQuery
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.layout.build import Problem
    from dsv3calc.studies.preset_loader import PresetLoader

MOST_GPUS = 2**17
FREE = ("dp", "pp", "ep")
"""Degrees that are searched unless an option gives them."""

_LATER = ("global_batch", "schedule")
"""What is put into a preset when its degrees are free, with which it need not agree."""
_LAST_STAGE = 3
_MOST_RANKS = 2**19
_AT_ONCE = 25_000_000
"""Numbers that a footprint of several layouts holds in memory at once."""


class SearchRequest:
    """The layout of a query whose free degrees are to be found.

    ``layout`` has the degrees that are held; ``held`` names those of :data:`FREE`. ``preset`` is
    the layout that the query names as it is, with the options put in; None where they alone make
    the layout, or where its own degrees and the options exclude each other. ``asked`` is what the
    query names without its degrees, before they are put in.
    """

    __slots__ = ("asked", "held", "layout", "model", "mtp", "preset", "rule", "sequence")

    def __init__(
        self, query: MemoryQuery, loader: PresetLoader, answer: Answer, model: Model
    ) -> None:
        self.model = model
        self.mtp = query.with_mtp
        typed = fields_given(query)
        fixed = {each.path for each in loader.overrides if each.kind == "layout"}
        self.held = tuple(axis for axis in FREE if axis in typed or axis in fixed)
        loose = msgspec.structs.replace(query, dp=None, pp=None, ep=None, global_batch=None)
        if query.layout is None:  # any degrees will do that agree with each other
            any_degrees = {
                "dp": query.etp or 1,
                "pp": 2 if query.schedule == "dualpipe" else None,
            }
            unsaid = {axis: each for axis, each in any_degrees.items() if axis not in fixed}
            loose = msgspec.structs.replace(loose, **unsaid)
        elif query.schedule == "dualpipe":  # the preset's pp may be odd, which says nothing
            loose = msgspec.structs.replace(loose, schedule=None)
        self.asked = layout = chosen_layout(loose, loader, answer, model)
        self.rule: Rule = answer.etp_rule or STATED
        if self.rule is TP and "ep" in self.held:
            self.rule = ONE
        put_in = {name: typed[name] for name in (*FREE, *_LATER) if name in typed}
        whole = with_etp(msgspec.structs.replace(layout, **put_in), model, self.rule)
        known = query.layout is not None and next(whole.problems(), None) is None
        self.preset = whole if known else None
        if "global_batch" not in typed and "global_batch" not in fixed:
            whole = msgspec.structs.replace(whole, global_batch=None)
        free = dict.fromkeys((axis for axis in FREE if axis not in self.held), 1)
        if isinstance(layout.layer_split, list) and "pp" not in self.held:
            free["pp"] = max(1, len(layout.layer_split) // _chunks_of_rank(layout))
        if self.rule is TP:  # etp follows from each ep that is tried
            free["etp"] = 1
        self.layout = msgspec.structs.replace(whole, **free)

    def check(self, sequence: int) -> None:
        """Refuse what is held where the model's layers, heads, experts or tokens do not divide.

        Raises
        ------
        UsageError
            If they do not, or the schedule keeps as many micro-batches as replicas leave.
        """
        model, layout = self.model, self.layout
        alone = msgspec.structs.replace(
            layout, pp=1, dp=layout.ep * layout.etp, global_batch=None, schedule="1f1b"
        )  # what is searched and what goes with it agree with anything
        check_grouping(
            model,
            alone,
            sequence,
            hint=Degrees(
                model,
                alone,
                given=self.held,
                stated=("ep", "etp"),
                serving=False,
                dp_follows=False,
            ).hint,
            more=(
                *width_problems(model, layout),
                *etp_problems(model, layout),
                *(expert_problems(model, layout) if "ep" in self.held else ()),
            ),
        )
        if layout.schedule == "gpipe" and layout.global_batch is None:
            raise UsageError(
                "--fewest-gpus with GPipe, which keeps every micro-batch: their number falls as "
                "replicas are added",
                "give --global-batch, in sequences, or choose another --schedule",
            )
        self.sequence = sequence

    def find(self, answer: Answer, training: Training, hardware: Hardware) -> Layout:
        """Find the layout of the fewest GPUs whose fullest pipeline rank fits.

        Raises
        ------
        UsageError
            If no layout is possible with what is held, or there are too many to be tried.
        Infeasible
            If none of those that are possible fits.
        """
        usable = hardware.memory.usable
        found = _Search(self, training, usable or 0).fewest()
        if found is None:
            held = ", ".join(
                f"{name} {getattr(self.layout, name)}" for name in ("tp", "cp", *self.held)
            )
            raise Infeasible(
                f"{self.model.name} fits on no layout of up to {MOST_GPUS:,} {hardware.name} with "
                f"{held}: try {_remedies(self, training)}"
            )
        answer.assumptions.append(self.told())
        self._forget(found, answer)
        unsaid = found.provenance if found.pp == self.asked.pp else _without_split(found)
        return msgspec.structs.replace(found, provenance=unsaid)

    def _forget(self, found: Layout, answer: Answer) -> None:
        """Leave out what a preset assumes about degrees and stages that are not those found."""
        changed = [
            name for name in (*FREE, *_LATER) if getattr(found, name) != getattr(self.asked, name)
        ]
        if "pp" in changed:
            changed.append("layer_split")
        about = tuple(f"{found.name}: {name}: " for name in changed)
        about = (*about, *told(self.asked, self.model, answer.etp_rule or STATED))
        answer.assumptions[:] = [text for text in answer.assumptions if not text.startswith(about)]
        rule: Rule = ONE if self.rule is TP and found.ep > 1 else self.rule
        answer.assumptions += told(found, self.model, rule)

    def lines(self, footprint: Footprint, training: Training, found: WorstLines) -> list[Line]:
        """Name the layout found, and what the layout that the query names needs.

        Returns
        -------
        Line ``memory.fewest_gpus`` [1], its degrees ``.dp``, ``.pp`` ... and ``.total`` [B], that
        of its fullest rank. Where a preset is asked about, ``memory.given.gpus``, ``.total`` and
        ``.fits``: those of the preset.
        """
        layout = footprint.layout
        assert found.usable is not None  # noqa: S101 - nothing is searched for without
        lines = [
            Line(
                "memory.fewest_gpus",
                layout.gpus,
                "1",
                "search",
                convention="the fewest GPUs whose fullest pipeline rank fits",
                parts=(found.total.renamed("memory.fewest_gpus.total"), found.usable),
            )
        ]
        lines += [
            Line(
                f"memory.fewest_gpus.{axis}",
                getattr(layout, axis),
                "1",
                "search",
                convention=self._how(axis),
            )
            for axis in ("dp", "pp", "ep", *(axis for axis in DEGREES if axis not in FREE))
        ]
        preset = self.preset
        if preset is None or _is_wrong(self.model, preset):
            return lines
        own = Footprint(
            self.model,
            preset,
            training,
            sequence=self.sequence,
            micro_batches=replica_micro_batches(preset),
            mtp=footprint.mtp,
        )
        needed = worst_rank.worst(own).total.value
        convention = f"{preset.name} as it is given, to compare with"
        compared = (
            ("gpus", preset.gpus, "1"),
            ("total", needed, "B"),
            ("fits", int(needed <= found.usable.value), "1"),
        )
        return [
            *lines,
            *(
                combined(
                    f"memory.given.{name}",
                    "sum",
                    [given(f"{preset.name}.{name}", value, unit, "counted by itself")],
                    convention=convention,
                )
                for name, value, unit in compared
            ),
        ]

    def _how(self, axis: str) -> str:
        """Say how a degree came about."""
        if axis == "etp" and self.rule is not STATED:
            return "follows from tp and ep"
        return "searched" if axis in FREE and axis not in self.held else "held"

    def told(self) -> str:
        """Say what was searched and what was held."""
        listed = isinstance(self.layout.layer_split, list) and "pp" not in self.held
        free = [axis for axis in FREE if axis not in self.held and not (listed and axis == "pp")]
        names = [name for name in ("tp", "cp", "etp", *self.held) if self._how(name) == "held"]
        kept = [f"{name} {getattr(self.layout, name)}" for name in names]
        if listed:
            kept.append(f"pp {self.layout.pp} (the layers of each stage are listed)")
        batch = (
            "a step has 2 pp micro-batches"
            if self.layout.global_batch is None
            else f"a step has {self.layout.global_batch:,} sequences"
        )
        return (
            f"the fewest GPUs of any {', '.join(free) or 'layout'} up to {MOST_GPUS:,} GPUs; held "
            f"are {', '.join(kept)} and all else; {batch}"
        )


class _Search:
    """Tries layouts of one query, many at once."""

    def __init__(self, wanted: SearchRequest, training: Training, usable: int) -> None:
        self.model = wanted.model
        self.layout = wanted.layout
        self.rule = wanted.rule
        self.held = wanted.held
        self.training = training
        self.usable = usable
        self.sequence = wanted.sequence
        self.mtp = wanted.mtp
        self.width = self.layout.tp * self.layout.cp
        self.each = worst_rank.ranks_tried(self.model, self.layout, mtp=self.mtp)
        lines = 1000 + 6 * self.layout.virtual_pipeline**2
        self.at_once = max(1, _AT_ONCE // lines)

    def _at(self, pp: Any, ep: Any, dp: Any) -> Layout:
        """Return the layout, or an array of them, with degrees that are searched."""
        layout = msgspec.structs.replace(self.layout, pp=pp, dp=dp)
        return with_searched_etp(layout, self.rule, ep)

    def fits(self, rows: Any) -> Any:
        """Tell of each row (pp, ep, dp) of an array whether its fullest rank fits."""
        import numpy as np

        found = np.zeros(len(rows), dtype=bool)
        step = self.at_once // (self.each or int(rows[:, 0].max(initial=1))) or 1
        for start in range(0, len(rows), step):
            part = rows[start : start + step].astype(np.float64)
            pp, ep, dp = part[:, 0], part[:, 1], part[:, 2]
            layout = self._at(pp, ep, dp)
            totals = worst_rank.fullest(
                self.model,
                layout,
                self.training,
                sequence=self.sequence,
                mtp=self.mtp,
            )
            found[start : start + step] = totals <= self.usable
        return found

    def stages(self) -> list[int]:
        """Return the numbers of stages to be tried.

        Raises
        ------
        UsageError
            If none of them is possible.
        """
        layout = self.layout
        given_pp = "pp" in self.held or isinstance(layout.layer_split, list)
        chunks = _chunks_of_rank(layout)
        most = min(self.model.num_hidden_layers, (self.model.num_hidden_layers + 2) // chunks or 1)
        most = min(most, MOST_GPUS // self.width)
        tried: Iterable[int] = [layout.pp] if given_pp else range(1, max(most, 2) + 1)
        problems: list[Problem] = []
        found = []
        for pp in tried:
            each = msgspec.structs.replace(layout, pp=pp)
            wrong = [*model_problems(self.model, each), *training_problems(
                self.model, each, self._micro_batches(pp)
            )]  # fmt: skip
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
        groups = (ep for ep in range(1, min(common, MOST_GPUS) + 1) if common % ep == 0)
        return [ep for ep in groups if self._experts_divide(ep)]

    def _experts_divide(self, ep: int) -> bool:
        tried = with_searched_etp(self.layout, self.rule, ep)
        problems = (*expert_problems(self.model, tried), *etp_problems(self.model, tried))
        return not problems

    def unit(self, ep: int) -> int:
        """Return the number of replicas of which any multiple holds whole groups of experts."""
        sharing = ep * with_searched_etp(self.layout, self.rule, ep).etp
        return sharing // gcd(sharing, self.width)

    def _listed(self, pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
        """Yield (pp, ep, dp) where the numbers of replicas are few: given, or divisors."""
        layout, batch = self.layout, self.layout.global_batch
        if "dp" in self.held:
            replicas = [layout.dp]
        else:
            most = 0 if batch is None else min(batch // layout.micro_batch, MOST_GPUS // self.width)
            replicas = [
                dp for dp in range(1, most + 1) if batch and batch % (dp * layout.micro_batch) == 0
            ]
        for pp, ep in pairs:
            for dp in replicas:
                if dp % self.unit(ep) or self.width * pp * dp > MOST_GPUS:
                    continue
                if batch is not None:
                    if batch % (dp * layout.micro_batch):
                        continue
                    each = self._at(pp, ep, dp)
                    steps = batch // (dp * layout.micro_batch)
                    if next(training_problems(self.model, each, steps), None) is not None:
                        continue
                yield pp, ep, dp

    def fewest(self) -> Layout | None:
        """Return the layout with the fewest GPUs, then stages, then expert GPUs; None if none fits.

        Raises
        ------
        UsageError
            If no layout is possible with what is held, or there are too many to be tried.
        """
        import numpy as np

        stages, groups = self.stages(), self.expert_groups()
        ranks = sum(self.each or pp for pp in stages) * len(groups)
        if ranks > _MOST_RANKS:
            raise UsageError(
                f"--fewest-gpus: {len(stages) * len(groups):,} pairs of pp and ep with {ranks:,} "
                f"pipeline ranks to look at, more than {_MOST_RANKS:,}",
                "hold one of them: --pp N or --ep N",
            )
        pairs = [(pp, ep) for pp in stages for ep in groups]
        pairs.sort(key=lambda pair: (self.unit(pair[1]) * pair[0], *pair))
        if self.layout.global_batch is not None or "dp" in self.held:
            rows = sorted(self._listed(pairs), key=lambda row: (row[0] * row[2], *row))
            if not rows:
                self._refuse_all(pairs)
            found = self._first(np.array(rows, dtype=np.int64))
        else:
            found = self._bisected(np.array(pairs, dtype=np.int64))
        if found is None:
            return None
        pp, ep, dp = found
        return self._at(pp, ep, dp)

    def _refuse_all(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Say why no layout agrees with what is held."""
        pp, ep = pairs[0]
        layout = self._at(pp, ep, self.layout.dp)
        refuse([(what, why) for _, what, why in layout.problems()])
        batch = layout.global_batch
        if batch is not None:
            refuse(
                [*training_problems(self.model, layout, batch // (layout.dp * layout.micro_batch))]
            )
        raise UsageError(
            f"no dp, pp and ep of up to {MOST_GPUS:,} GPUs agree with what is held",
            "hold less: --global-batch, --dp, --pp, --ep",
        )

    def _first(self, rows: Any) -> tuple[int, int, int] | None:
        """Return the first row that fits; rows are in the order of GPUs."""
        start, step = 0, 64
        while start < len(rows):
            found = self.fits(rows[start : start + step])
            if found.any():
                pp, ep, dp = rows[start + int(found.argmax())].tolist()
                return pp, ep, dp
            start, step = start + step, 4 * step
        return None

    def _bisected(self, pairs: Any) -> tuple[int, int, int] | None:
        """Return pp, ep and the fewest replicas of the pair that needs the fewest GPUs."""
        import numpy as np

        units = np.array([self.unit(ep) for ep in pairs[:, 1].tolist()], dtype=np.int64)
        pp, ep = pairs[:, 0], pairs[:, 1]
        gpus = self.width * pp * units  # of one unit of replicas
        best: tuple[int, ...] | None = None
        most = MOST_GPUS

        def tried(which: Any, times: Any) -> Any:
            nonlocal best, most
            rows = np.stack([pp[which], ep[which], units[which] * times], axis=1)
            fits = self.fits(rows)
            for row in np.flatnonzero(fits).tolist():
                stages, sharing, replicas = rows[row].tolist()
                found = (self.width * stages * replicas, stages, sharing, replicas)
                best = found if best is None else min(best, found)
                most = best[0]
            return fits

        start, step = 0, 256
        while start < len(pairs):
            which = np.arange(start, min(start + step, len(pairs)))
            start, step = start + step, 4 * step
            which = which[gpus[which] <= most]
            if not len(which):
                continue
            which = which[~tried(which, 1)]
            high = most // gpus[which]  # where best has as many GPUs, fewer stages go first
            which, high = which[high > 1], high[high > 1]
            if not len(which):
                continue
            fits = tried(which, high)
            which, high = which[fits], high[fits]
            low = np.ones_like(high)
            while len(which):
                going = (high - low > 1) & ((low + 1) * gpus[which] <= most)
                which, low, high = which[going], low[going], high[going]
                if not len(which):
                    break
                middle = (low + high) // 2
                fits = tried(which, middle)
                low, high = np.where(fits, low, middle), np.where(fits, middle, high)
        return None if best is None else (best[1], best[2], best[3])


def _remedies(wanted: SearchRequest, training: Training) -> str:
    """Name the options that would take less memory: those that would change something."""
    layout = wanted.layout
    views = architecture_of(wanted.model).groups
    heads = gcd(*(heads for view in views for heads in view.heads))
    found = []
    if "full" not in training.recompute.modules:
        found.append("--recompute full")
    if layout.tp < heads:
        found.append("a larger --tp")
    if layout.tp > 1 and not layout.sequence_parallel:
        found.append("--sequence-parallel")
    if layout.zero < _LAST_STAGE and not ("dp" in wanted.held and layout.dp * layout.cp == 1):
        found.append("--zero 3" if layout.zero == _LAST_STAGE - 1 else "a higher --zero")
    if layout.micro_batch > 1:
        found.append("a smaller --micro-batch")
    found += [f"no --{axis}" for axis in wanted.held]
    if not found:
        return "a smaller --seq"
    return ", ".join(found[:-1]) + (" or " if found[1:] else "") + found[-1]


def _without_split(layout: Layout) -> dict[str, str]:
    """Return a layout's provenance but for how its layers are split."""
    return {name: source for name, source in layout.provenance.items() if name != "layer_split"}


def _is_wrong(model: Model, layout: Layout) -> bool:
    """Tell whether a layout is one that the model does not divide into."""
    steps = int(replica_micro_batches(layout).value)
    problems = (
        *model_problems(model, layout),
        *feed_forward_problems(model, layout),
        *training_problems(model, layout, steps),
    )
    return bool(problems)


def _chunks_of_rank(layout: Layout) -> int:
    """Return how many virtual stages of the layer split stand on a rank."""
    stages: int = virtual_stages(layout).value
    return stages // layout.pp
