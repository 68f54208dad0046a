"""What a set-up makes of kernels at measured rates: sustained rates, launches, overlap."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.times.kernels import WEIGHT_GRADIENT
from dsv3calc.accounting.times.share import divided
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Line, combined, field, given, total
from dsv3calc.model.operator import CORE, GROUPED, ONE, PRODUCT, SCAN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsv3calc.accounting.times.kernels import Kernel
    from dsv3calc.accounting.times.rates import FloorLines
    from dsv3calc.accounting.times.share import Share
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.setup import Setup

COMPUTING = (PRODUCT, GROUPED, CORE, SCAN)
"""Kinds of kernels that run at a chip's sustained rate, on the multiprocessors left to them."""


class Software:
    """The times of a set-up on a device.

    Raises
    ------
    UsageError
        If the set-up does not state what this device or its times need.
    """

    def __init__(self, setup: Setup, hardware: Hardware, share: Share) -> None:
        if setup.time is None:
            raise UsageError(
                f"the set-up {setup.name} states no times, so it gives no estimate",
                "choose one that has a time block: dsv3calc presets list setups",
            )
        self.setup = setup
        self.share = share
        self.times = setup.time
        self.scope = ("setup.time", setup.time)
        self.slowdown = self._slowdown(hardware)
        self.narrow_slowdown = self.slowdown
        if hardware.family in self.times.sustained_narrow:
            self.narrow_slowdown = self._slowdown(hardware, narrow=True)
        self.launch_factor = ONE
        if self.times.launch_factor is not None:
            self.launch_factor = field(self.scope, "launch_factor", "ratio")
        self.host_gap = None
        if self.times.host_gap:
            self.host_gap = field(self.scope, "host_gap", "s")

    def _slowdown(self, hardware: Hardware, *, narrow: bool = False) -> Line:
        """Return what multiplies the time of kernels that compute, or of ``narrow`` products."""
        factors = []
        phase = self.share.run.workload.phase
        holds = not self.times.sustained_phases or phase in self.times.sustained_phases
        if self.times.sustained and holds:
            family = hardware.family
            if family not in self.times.sustained:
                known = ", ".join(self.times.sustained)
                raise UsageError(
                    f"the set-up {self.setup.name} has no sustained factor for {hardware.name}"
                    + (f" (family {family})" if family else ", whose preset names no family"),
                    f"it has one for {known}; --set setup.time.sustained.FAMILY=1.3 gives another",
                )
            name = "sustained_narrow" if narrow else "sustained"
            factor = getattr(self.times, name)[family]
            factors.append(given(f"setup.time.{name}.{family}", factor, "ratio"))
        if self.times.communication_sms:
            factors.append(self._taken_by_communication(hardware))
        name = "time.narrow_slowdown" if narrow else "time.slowdown"
        return combined(name, "product", factors, unit="ratio") if factors else ONE

    def _taken_by_communication(self, hardware: Hardware) -> Line:
        if hardware.multiprocessors is None:
            raise UsageError(
                f"the set-up {self.setup.name} leaves {self.times.communication_sms} "
                f"multiprocessors to communication, and {hardware.name} does not say how many it "
                "has",
                "--set hardware.multiprocessors=132",
            )
        every = field(("hardware", hardware), "multiprocessors", "1")
        sending = field(self.scope, "communication_sms", "1")
        left = combined("time.computing_multiprocessors", "difference", (every, sending))
        return combined("time.multiprocessors", "ratio", (every, left), unit="ratio")

    def estimate(
        self, name: str, kernel: Kernel, what: str, floor: FloorLines, *, narrow: bool
    ) -> Line:
        """Estimate the time of a pass of a kernel in one layer; ``narrow`` ones cast their inputs.

        The rate of weight gradients was measured of narrow products: wide ones run as forward.
        """
        body = floor.body
        if narrow and what == WEIGHT_GRADIENT and self.times.weight_gradients is not None:
            rate = field(self.scope, "weight_gradients", "ratio")
            body = combined(f"{name}.at_gradients_rate", "ratio", (body, rate), unit="s")
        slowdown = self.narrow_slowdown if narrow else self.slowdown
        if kernel.first.kind in COMPUTING and slowdown is not ONE:
            body = combined(f"{name}.sustained", "product", (body, slowdown))
        launch = floor.launch
        if self.launch_factor is not ONE:
            launch = combined(f"{name}.launch_with_setup", "product", (launch, self.launch_factor))
        parts = [body, launch]
        if self.host_gap is not None:
            launches = self._launches(name, kernel)
            parts.append(combined(f"{name}.host", "product", (self.host_gap, launches), unit="s"))
        return total(f"{name}.estimate", parts, unit="s", tags=kernel.tags("estimate"))

    def _launches(self, name: str, kernel: Kernel) -> Line:
        """Count the launches of a kernel: a grouped one is launched for each local expert."""
        if not kernel.routed or kernel.view is None or kernel.view.experts is None:
            return ONE
        slots = self.share.expert_slots(kernel.view)
        return divided(f"{name}.launches", slots, [degree(self.share.layout, "ep")])

    def shown(self, axis: str) -> Line | None:
        """Return the share of an axis's communication that nothing hides; None for all of it."""
        hidden = getattr(self.times.overlap, "tp" if axis == "etp" else axis)
        if not hidden:
            return None
        share = given(f"setup.time.overlap.{axis}", hidden, "ratio", "share that is hidden")
        return combined(f"time.communication.{axis}.shown", "difference", (ONE, share))

    def exposed(self, communication: Mapping[str, Line], kernels: Line) -> Line:
        """Give the communication that computation does not hide.

        ``communication`` is the time of a pass by the axis that sends. What is hidden is no longer
        than the kernels that hide it.
        """
        left = []
        for axis, seconds in communication.items():
            rest = self.shown(axis)
            if rest is None:
                left.append(seconds)
                continue
            left.append(
                combined(f"time.communication.{axis}.exposed", "product", (seconds, rest), unit="s")
            )
        shown = total("time.communication.not_hidden", left, unit="s")
        every = total("time.communication.in_all", list(communication.values()), unit="s")
        beyond = combined("time.communication.beyond_kernels", "difference", (every, kernels))
        return combined("time.communication.estimate", "maximum", (shown, beyond))
