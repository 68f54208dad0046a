"""Energy of GPU time, where a device says what it may draw."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import economics
from dsv3calc.ledger.line import Line, computed, field, given

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware

LIMIT = "devices at their power limit all the time"


def energy_line(name: str, gpu_time: Line, hardware: Hardware, pue: Any) -> Line | None:
    """Give the energy of GPU time [J]; None where the preset of the device has no power."""
    if hardware.power is None:
        return None
    return computed(
        name,
        economics.gpu_energy,
        convention=LIMIT,
        gpu_time=gpu_time,
        power=field(("hardware", hardware), "power", "W"),
        pue=given("pue", pue, "ratio", "power of the site over that of its devices"),
    )
