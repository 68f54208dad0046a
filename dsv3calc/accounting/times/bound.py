"""The least time of a kernel: at the peak of its data type, at the nominal memory bandwidth."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.formulas import roofline
from dsv3calc.ledger.line import Line, combined, computed, total
from dsv3calc.ledger.named_lines import NamedLines

if TYPE_CHECKING:
    from dsv3calc.accounting.times.device import Device
    from dsv3calc.accounting.times.kernels import Kernel
    from dsv3calc.accounting.times.work import Work


class BoundLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``NAME.compute_time``, ``.memory_time`` and ``.bound`` [s], the larger of the two."""

    compute_time: Line
    memory_time: Line
    bound: Line


def bound_lines(name: str, kernel: Kernel, work: Work, device: Device) -> BoundLines:
    """Bound the time of one pass of a kernel that runs alone, in one layer of one GPU."""
    tags = kernel.tags("compute_time")
    compute = total(f"{name}.compute_time", (), unit="s", tags=tags)
    if work.flops.rule != "given":
        compute = computed(
            f"{name}.compute_time",
            roofline.compute_time,
            tags=tags,
            flops=work.flops,
            peak=device.peak(kernel.first.component),
        )
    memory = computed(
        f"{name}.memory_time", roofline.memory_time, moved=work.bytes, bandwidth=device.bandwidth
    )
    bound = combined(f"{name}.bound", "maximum", (compute, memory), tags=kernel.tags("bound"))
    return BoundLines(compute_time=compute, memory_time=memory, bound=bound)
