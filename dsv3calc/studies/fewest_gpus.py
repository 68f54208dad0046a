"""The fewest GPUs at which a training layout fits: more replicas, more stages, more expert GPUs.

Tensor, context and expert-tensor parallelism, the schedule and everything else stay as they are.
For each number of stages and of GPUs that share a layer's experts, from those of the layout up, the
replicas are grown until the fullest rank fits. More replicas never take more memory: only what ZeRO
divides depends on them. So the fewest are found by bisection.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import chain
from math import gcd, lcm
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.memory import Footprint, memory_lines
from dsv3calc.errors import Infeasible
from dsv3calc.ledger import Line, given
from dsv3calc.schema.model import MoE
from dsv3calc.studies.layout_checks import feed_forward_problems
from dsv3calc.studies.layouts import model_problems, training_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.accounting.memory import Training
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.answer import Answer

MOST_GPUS = 2**17
_HELD = "tp, cp and etp are held; the step has at least 2 pp micro-batches"


class _Search:
    """Tries layouts of one query, each once."""

    def __init__(
        self, model: Model, training: Training, hardware: Hardware, sequence: int, *, mtp: bool
    ) -> None:
        self.model = model
        self.training = training
        self.hardware = hardware
        self.sequence = sequence
        self.mtp = mtp
        self.most = MOST_GPUS

    def fullest(self, layout: Layout) -> Line:
        """Return the total of a layout's fullest rank."""
        footprint = Footprint(
            self.model,
            layout,
            self.training,
            sequence=self.sequence,
            micro_batches=2 * layout.pp,
            mtp=self.mtp,
        )
        lines = memory_lines(footprint, self.hardware)
        return next(line for line in lines if line.name == "memory.worst.total")

    def fits(self, layout: Layout) -> bool:
        """Tell whether a layout's fullest rank fits."""
        usable = self.hardware.memory.usable
        return usable is not None and bool(self.fullest(layout).value <= usable)

    def replicas(self, layout: Layout) -> Layout | None:
        """Return the layout with the fewest replicas at which it fits, None where none does."""
        width = layout.tp * layout.cp
        unit = layout.ep * layout.etp // gcd(layout.ep * layout.etp, width)
        most = self.most // (width * layout.pp * unit)
        if most < 1:
            return None

        def grown(times: int) -> Layout:
            return msgspec.structs.replace(layout, dp=unit * times)

        if not self.fits(grown(most)):
            return None
        low, high = 0, most  # fits(high), and nothing below low + 1 does
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.fits(grown(middle)) else (middle, high)
        return grown(high)


def _stages(model: Model, layout: Layout) -> Iterator[int]:
    """Yield numbers of stages from those of the layout up."""
    if isinstance(layout.layer_split, list):
        yield layout.pp
        return
    yield from range(layout.pp, model.num_hidden_layers + 1)


def _expert_groups(model: Model, layout: Layout) -> Iterator[int]:
    """Yield numbers of GPUs that may share a layer's experts, from those of the layout up."""
    slots = [
        group.feed_forward.n_routed_experts + layout.redundant_experts
        for group in model.groups
        if isinstance(group.feed_forward, MoE)
    ]
    yield layout.ep
    if slots:
        common = gcd(*slots)
        yield from (ep for ep in range(layout.ep + 1, common + 1) if common % ep == 0)


def _is_valid(model: Model, layout: Layout) -> bool:
    """Tell whether a layout is one that could be asked for."""
    problems = chain(
        model_problems(model, layout),
        feed_forward_problems(model, layout),
        training_problems(model, layout, 2 * layout.pp),
    )
    return next(problems, None) is None


def fewest_gpus_lines(
    footprint: Footprint, training: Training, hardware: Hardware, answer: Answer
) -> list[Line]:
    """Search for the fewest GPUs.

    Returns
    -------
    Line ``memory.fewest_gpus`` [1] with those of the axes that were grown, ``.dp``, ``.pp`` and
    ``.ep``, and ``memory.fewest_gpus.total`` [B], that of the fullest rank there.

    Raises
    ------
    Infeasible
        If it fits on no number of GPUs that was tried.
    """
    model, start = footprint.model, footprint.layout
    layout = msgspec.structs.replace(start, global_batch=None, dp=1)
    search = _Search(
        model, training, hardware, footprint.activations.sequence.value, mtp=footprint.mtp
    )
    best: Layout | None = None
    for pp in _stages(model, layout):
        for ep in _expert_groups(model, layout):
            tried = msgspec.structs.replace(layout, pp=pp, ep=ep)
            tried = msgspec.structs.replace(
                tried, dp=lcm(ep * layout.etp, layout.tp * layout.cp) // (layout.tp * layout.cp)
            )
            if not _is_valid(model, tried):
                continue
            found = search.replicas(tried)
            if found is not None and (best is None or found.gpus < best.gpus):
                best = found
                search.most = found.gpus - 1
    answer.assumptions.append(f"the fewest GPUs: dp grows first, then pp, then ep; {_HELD}")
    if best is None:
        raise Infeasible(
            f"{model.name} fits on no layout of up to {MOST_GPUS:,} {hardware.name} with tp "
            f"{layout.tp}, cp {layout.cp}: try --recompute full, a larger --tp or --zero"
        )
    fullest = search.fullest(best)
    room = given("hardware.memory.usable", hardware.memory.usable, "B")
    axes = [
        Line(f"memory.fewest_gpus.{axis}", getattr(best, axis), "1", "search", convention=_HELD)
        for axis in ("dp", "pp", "ep")
    ]
    total = fullest.renamed("memory.fewest_gpus.total")
    return [
        Line(
            "memory.fewest_gpus",
            best.gpus,
            "1",
            "search",
            convention="the fewest GPUs whose fullest pipeline rank fits",
            parts=(total, room),
        ),
        *axes,
    ]
