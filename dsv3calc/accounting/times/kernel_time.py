"""The seconds of one kernel on one GPU in one layer, by pass and in all."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.times.bound import bound_lines
from dsv3calc.formulas import roofline
from dsv3calc.ledger.line import Line, computed, total

if TYPE_CHECKING:
    from dsv3calc.accounting.times.device import Device
    from dsv3calc.accounting.times.kernels import Kernel
    from dsv3calc.accounting.times.rates import Rates
    from dsv3calc.accounting.times.software import Software
    from dsv3calc.accounting.times.work import Work, WorkCounter

SECONDS = ("bound", "floor", "estimate")
"""The three times: at peaks, at measured rates, with a set-up."""

SUMMED = ("flops", "resident", "activations", "compute_time", "launch", *SECONDS)
"""What the passes of a kernel add up to; an estimate where there is a set-up."""

_PARTS = ("resident", "activations")
"""What the bytes moved are made of."""


class KernelTime:
    """A kernel with its lines: ``by_pass`` by pass and by what they are, ``lines`` in all."""

    __slots__ = ("by_pass", "counter", "kernel", "lines")

    def __init__(
        self,
        kernel: Kernel,
        counter: WorkCounter,
        device: Device,
        rates: Rates,
        software: Software | None,
    ) -> None:
        self.kernel = kernel
        self.counter = counter
        base = f"time.{kernel.place}.{kernel.name}"
        several = len(counter.passes) > 1
        self.by_pass = {
            what: _seconds(
                f"{base}.{what}" if several else base, kernel, what, work, device, rates, software
            )
            for what, work in counter.works(kernel).items()
        }
        self.lines = {}
        for what in SUMMED:
            parts = [lines[what] for lines in self.by_pass.values() if what in lines]
            if parts and several:
                self.lines[what] = total(f"{base}.{what}", parts, tags=kernel.tags(what))
            elif parts:
                self.lines[what] = parts[0]
        moved = (self.lines["resident"], self.lines["activations"])
        self.lines["moved"] = total(f"{base}.moved", moved, unit="B", tags=kernel.tags("moved"))

    @property
    def shown(self) -> list[Line]:
        """The lines that an answer has at its top: bytes apart are parts of what is moved.

        They have the shape of the kernel's first product too, and FLOPs by bytes moved.
        """
        base = f"time.{self.kernel.place}.{self.kernel.name}"
        found = {**_shape(base, self.kernel, self.counter), **self.lines}
        if any(lines["flops"].rule != "given" for lines in self.by_pass.values()):
            found["intensity"] = computed(
                f"{base}.intensity",
                roofline.arithmetic_intensity,
                tags=self.kernel.tags("intensity"),
                flops=found["flops"],
                moved=found["moved"],
            )
        return [line for what, line in found.items() if what not in _PARTS]


def _seconds(
    name: str,
    kernel: Kernel,
    what: str,
    work: Work,
    device: Device,
    rates: Rates,
    software: Software | None,
) -> dict[str, Line]:
    bound = bound_lines(name, kernel, work, device)
    floor = rates.floor(name, kernel, what, work, bound)
    found = {
        "flops": work.flops,
        "resident": work.resident,
        "activations": work.activations,
        "compute_time": bound.compute_time,
        "bound": bound.bound,
        "launch": floor.launch,
        "floor": floor.floor,
    }
    if software is not None:
        narrow = device.input_bits(kernel.first.component) is not None
        found["estimate"] = software.estimate(name, kernel, what, floor, narrow=narrow)
    return found


def _shape(base: str, kernel: Kernel, counter: WorkCounter) -> dict[str, Line]:
    """Give the shape of a kernel's first product: rows, columns and what it sums over."""
    lists = counter.share.products(kernel)
    if not lists:
        return {}
    first = lists[0]
    shape = {
        "copies": ([first[0].groups], "1"),
        "rows": ([first[0].rows], "tokens"),
        "columns": ([each.columns for each in first], "elements"),
        "depth": ([first[0].depth], "elements"),
    }
    return {
        what: total(f"{base}.{what}", parts, unit=unit, tags=kernel.tags(what))
        for what, (parts, unit) in shape.items()
    }
