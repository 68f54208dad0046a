"""The fewest GPUs at which a training layout fits, among all of its dp, pp and ep that are free.

What a query gives as an option is held; a degree that only the preset of a layout names is free.
Tensor, context and expert-tensor parallelism, the schedule and everything else are held always.
``studies/search/fewest_gpus.py`` searches; this file says what for, and what was found.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.memory import worst_rank
from dsv3calc.accounting.memory.footprint import Footprint
from dsv3calc.accounting.placement.schedules import replica_micro_batches
from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.ledger.line import Line, combined, given
from dsv3calc.studies.layout.build import (
    DEGREES,
    check_grouping,
    fields_given,
    model_problems,
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
from dsv3calc.studies.layout.expert_degrees import ONE, STATED, TP, Rule, told, with_etp
from dsv3calc.studies.search.fewest_gpus import FewestGPUs, chunks_of_rank

if TYPE_CHECKING:
    from dsv3calc.accounting.memory.footprint import Training
    from dsv3calc.accounting.memory.ranks import WorstLines
    from dsv3calc.queries.memory import MemoryQuery
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.preset_loader import PresetLoader

MOST_GPUS = 2**17
FREE = ("dp", "pp", "ep")
"""Degrees that are searched unless an option gives them."""

_LATER = ("global_batch", "schedule")
"""What is put into a preset when its degrees are free, with which it need not agree."""


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
            free["pp"] = max(1, len(layout.layer_split) // chunks_of_rank(layout))
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
        search = FewestGPUs(
            self.model,
            self.layout,
            self.rule,
            self.held,
            training,
            sequence=self.sequence,
            mtp=self.mtp,
            usable=usable or 0,
            most=MOST_GPUS,
        )
        found = search.find()
        if found is None:
            held = ", ".join(
                f"{name} {getattr(self.layout, name)}" for name in ("tp", "cp", *self.held)
            )
            raise Infeasible(
                f"{self.model.name} fits on no layout of up to {MOST_GPUS:,} {hardware.name} with "
                f"{held}; the closest is {search.closest}",
                search.remedies(),
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
            f"the fewest GPUs of any {', '.join(free) or 'layout'} up to {MOST_GPUS:,} GPUs; "
            f"fixed are {', '.join(kept)} and all else; {batch}"
        )


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
