"""What is asked of the power of a site."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.errors import UsageError
from dsv3calc.studies.checked import number

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware

LARGEST = 100


def site_factor(pue: float | None, hardware: Hardware) -> float:
    """Return the power of a site over that of its devices; 1 counts the devices alone.

    Raises
    ------
    UsageError
        If it is given for a device of which no power is known.
    """
    if pue is not None and hardware.power is None:
        raise UsageError(
            f"--pue: {hardware.name} has no power in its preset, so no energy is counted",
            "--set hardware.power='700 W'",
        )
    return number("--pue", pue, 1, least=1, most=LARGEST)
