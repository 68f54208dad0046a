"""The seconds of exchanges between GPUs: at nominal bandwidths, and at measured rates."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.device import scale_up_of
from dsv3calc.accounting.times.communication import AXES
from dsv3calc.accounting.traffic.algorithms import LINKS
from dsv3calc.errors import UsageError
from dsv3calc.formulas import roofline
from dsv3calc.ledger.line import Line, combined, computed, field, total
from dsv3calc.ledger.tags import Tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.times.communication import Sending
    from dsv3calc.accounting.times.link_rates import LinkRates
    from dsv3calc.schema.hardware import Hardware

COMMUNICATION = "communication"
"""The component of lines about exchanges."""


class ExchangeLines(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The exchanges of a pass: seconds at nominal bandwidths, at measured rates, and by axis.

    ``bound`` takes the links as working at the same time, ``floor`` the exchanges one after the
    other.
    """

    bound: Line
    floor: Line
    by_axis: dict[str, Line]


def exchange_lines(
    sendings: Sequence[tuple[Sending, Line]], hardware: Hardware, rates: LinkRates
) -> ExchangeLines:
    """Give the seconds of exchanges, each with the layers that have it."""
    moved: dict[str, list[Line]] = {link: [] for link in LINKS}
    by_axis: dict[str, list[Line]] = {}
    for sending, layers in sendings:
        tags = Tags(
            quantity="floor",
            component=COMMUNICATION,
            operator=f"{sending.kind}.{sending.primitive}",
            group=sending.place,
        )
        one = rates.one_call(sending)
        every = combined(f"{sending.name}.floor", "product", (one, sending.calls), tags=tags)
        whole = combined(f"{sending.name}.all_layers", "product", (every, layers), unit="s")
        by_axis.setdefault(AXES[sending.kind], []).append(whole)
        for link in LINKS:
            parts = (sending.moved[link], sending.calls, layers)
            moved[link].append(combined(f"{sending.name}.{link}", "product", parts, unit="B"))
    seconds = [
        line for link in LINKS if (line := _at_peak(link, moved[link], hardware)) is not None
    ]
    axes = {
        axis: total(f"time.communication.{axis}", parts, unit="s")
        for axis, parts in by_axis.items()
    }
    return ExchangeLines(
        bound=combined("time.communication.bound", "maximum", seconds, unit="s"),
        floor=total("time.communication.floor", list(axes.values()), unit="s"),
        by_axis=axes,
    )


def _at_peak(link: str, moved: Sequence[Line], hardware: Hardware) -> Line | None:
    """Bound the time of a link by its bytes; None where it carries nothing and there is none.

    Raises
    ------
    UsageError
        If bytes leave a scale-up domain and the device has no link for them.
    """
    every = total(f"time.communication.{link}_bytes", moved, unit="B")
    device = scale_up_of(hardware) if link == "scale_up" else hardware.scale_out
    if device is None:
        if type(every.value) is int and not every.value:
            return None
        raise UsageError(
            f"the layout sends over scale-out links, and {hardware.name} has none",
            "choose another --hardware, or a layout of one scale-up domain",
        )
    return computed(
        f"time.communication.{link}_time",
        roofline.memory_time,
        convention=f"{device.name}, nominal bandwidth of one direction",
        moved=every,
        bandwidth=field((f"hardware.{link}", device), "nominal", "B/s"),
    )
