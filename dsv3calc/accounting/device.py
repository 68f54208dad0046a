"""What a query needs of a device: a figure that its preset lacks is refused by name."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Line, field

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware, Link


def scale_up_of(hardware: Hardware) -> Link:
    """Return the link inside a domain.

    Raises
    ------
    UsageError
        If the preset has none.
    """
    if hardware.scale_up is None:
        raise UsageError(
            f"{hardware.name} has no scale-up link in its preset",
            "choose another --hardware, or give the link in a preset of your own",
        )
    return hardware.scale_up


def memory_bandwidth(hardware: Hardware) -> Line:
    """Return the bandwidth of a device's memory [B/s].

    Raises
    ------
    UsageError
        If no source gave it.
    """
    if hardware.memory.bandwidth is None:
        raise UsageError(
            f"the memory bandwidth of {hardware.name} is not known",
            "choose another --hardware, or --set hardware.memory.bandwidth='4 TB/s'",
        )
    return field(("hardware.memory", hardware.memory), "bandwidth", "B/s")
