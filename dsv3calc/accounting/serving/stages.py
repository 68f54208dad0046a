"""Pipeline stages of a server: the slowest of them, and what is sent from one to the next."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.device import scale_up_of
from dsv3calc.accounting.placement.rank_order import degree, gpus_per_node, placement_of
from dsv3calc.accounting.placement.stages import Stages
from dsv3calc.accounting.serving.passes import whole_pass
from dsv3calc.accounting.traffic.links import Links
from dsv3calc.formulas import collectives, served_batches, serving_times
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.model.architecture import has_experts
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsv3calc.accounting.serving.passes import ServedPass
    from dsv3calc.accounting.times.fold import Fold

_BITS = given("time.activation_bits", 16, "bit", "activations in BF16")
OVERLAPPED = "overlapped"
"""The time of two half batches that take turns."""

_RATES = {"bound": "nominal", "floor": "achieved"}
"""Time -> the bandwidth of links that sends between stages have in it; others as the floor."""


class StagedSteps:
    """Decode steps on pipeline stages, each of which works on another part of the batch.

    Names begin with ``prefix``; without one they are those of any pass. ``put`` has what stands for
    numbers of the workload, ``passes`` the parts of the batch that go round, each of ``part``
    sequences.
    """

    def __init__(
        self, fold: Fold, prefix: str, put: Mapping[str, Line], passes: Line, part: Line
    ) -> None:
        self.fold = fold
        self.prefix = prefix
        self.passes = passes
        self.stages = self._stages(put)
        self.sends = {what: self._sends(what, part) for what in _RATES}

    def _stages(self, put: Mapping[str, Line]) -> list[ServedPass]:
        """Give the seconds of a part of the batch on each stage; stages that are alike once."""
        setting = self.fold.setting
        split = Stages(f"{self.prefix}split", setting.model, setting.layout, mtp=False)
        found: dict[tuple[int, ...], ServedPass] = {}
        for number in range(setting.layout.pp):
            name = f"{self.prefix}rank.{number}"
            rank = given(f"{name}.number", number, "1", "pipeline rank from 0")
            layers = split.layers(name, rank)
            ends = [
                split.has(f"{name}.has_{end}", rank, stage)
                for end, stage in (
                    ("embedding", split.embedding_stage), ("head", split.head_stage)
                )
            ]  # fmt: skip
            alike = tuple(line.value for line in (*layers, *ends))
            if alike not in found:
                part = self.fold.of_stage(layers, *ends)
                prefix = f"{self.prefix}stage.{number}." if self.prefix else ""
                found[alike] = whole_pass(part, prefix, put)
        return list(found.values())

    def _sends(self, what: str, part: Line) -> Line:
        """Give the seconds in which a part of the batch is sent through all stages."""
        setting, layout = self.fold.setting, self.fold.setting.layout
        arch = self.fold.share.run.arch
        domain = scale_up_of(setting.hardware).domain_size
        used = gpus_per_node(layout, domain, experts=has_experts(setting.model))
        node = given("time.gpus_per_node", used, "1", f"GPUs used of each domain of {domain}")
        span = placement_of(f"{self.prefix}span", layout, "pp", node)
        axes = ("cp", "tp") if layout.sequence_parallel else ("cp",)
        name = f"{self.prefix}sends.{what}"
        payload = computed(
            f"{name}.payload",
            collectives.activation_payload,
            micro_batch=part,
            sequence=field(("workload", setting.workload), "sequence", "tokens"),
            width=arch.between_layers,
            bits=_BITS,
            split=combined(f"{name}.split", "product", [degree(layout, axis) for axis in axes]),
        )
        crossings = combined(f"{name}.crossings", "difference", (span.nodes, ONE))
        inside = combined(f"{name}.inside", "difference", (degree(layout, "pp"), span.nodes))
        moved = {
            link: combined(f"{name}.{link}_bytes", "product", (payload, often), unit="B")
            for link, often in (("scale_up", inside), ("scale_out", crossings))
        }
        none = {link: given("serve.no_messages", 0, "1") for link in moved}
        return Links(setting.hardware, _RATES[what]).time(name, moved, none, overlapped=False)

    def step(self, what: str, through: Line) -> Line:
        """Give a decode step: ``through`` is the pass of a part through all stages."""
        each = [self._seconds(stage, what, number) for number, stage in enumerate(self.stages)]
        return computed(
            f"{self.prefix}{what}.on_stages",
            served_batches.pipelined_step,
            pass_seconds=through,
            sends_seconds=self.sends_in(what),
            slowest_stage_seconds=combined(f"{self.prefix}slowest_stage.{what}", "maximum", each),
            stage_passes=self.passes,
        )

    def sends_in(self, what: str) -> Line:
        """Return the sends through all stages that a time counts."""
        return self.sends.get(what, self.sends["floor"])

    def _seconds(self, stage: ServedPass, what: str, number: int) -> Line:
        parts = (stage.kernels, stage.exchanges)
        name = f"{self.prefix}stage.{number}.{what}"
        if what == OVERLAPPED:
            return taking_turns(name, *parts)
        return total(name, parts, unit="s") if what == "serial" else stage.times[what]


def taking_turns(name: str, half_kernels: Line, half_exchanges: Line) -> Line:
    """Give the time of two half batches that take turns at computing and sending."""
    return computed(
        name,
        serving_times.two_batch_time,
        half_kernel_seconds=half_kernels,
        half_exchange_seconds=half_exchanges,
    )
