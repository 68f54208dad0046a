"""The time of exchanges between GPUs at the rates that were measured of a device's links."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.device import scale_up_of
from dsv3calc.accounting.memory.sharding import several
from dsv3calc.accounting.times.communication import EXPERTS
from dsv3calc.formulas import link_times
from dsv3calc.ledger.line import Line, combined, computed, field, given, total

if TYPE_CHECKING:
    from dsv3calc.accounting.times.achieved import Entries
    from dsv3calc.accounting.times.communication import Sending
    from dsv3calc.schema.hardware import Hardware

_NO_LINK = given("hardware.no_scale_out", 1, "B/s", "the device has no scale-out link")


class LinkRates:
    """Times of exchanges by the entries of a device's ``achieved`` block.

    Between domains a collective takes the share of the link that it reaches within one, divided by
    the ``oversubscription`` of the network. ``decoding`` passes reduce and exchange tokens by
    kernels for short messages.
    """

    def __init__(
        self, hardware: Hardware, entries: Entries, oversubscription: Line, *, decoding: bool
    ) -> None:
        self.hardware = hardware
        self.entries = entries
        self.oversubscription = oversubscription
        self.decoding = decoding

    def one_call(self, sending: Sending) -> Line:
        """Give the time of one call of an exchange."""
        return self._of_experts(sending) if sending.kind == EXPERTS else self._collective(sending)

    def _bandwidth(self, link: str) -> Line:
        device = scale_up_of(self.hardware) if link == "scale_up" else self.hardware.scale_out
        if device is None:
            return _NO_LINK
        return field((f"hardware.{link}", device), "nominal", "B/s")

    def _outwards(self) -> Line:
        """Return the bandwidth between domains that the network leaves a GPU."""
        parts = (self._bandwidth("scale_out"), self.oversubscription)
        return combined("time.scale_out_bandwidth", "ratio", parts, unit="B/s")

    def _collective(self, sending: Sending) -> Line:
        custom = self.decoding and sending.primitive == "all-reduce"
        entry = self.entries.collective("custom-all-reduce" if custom else sending.primitive)
        parts = [
            computed(
                f"{sending.name}.{link}_seconds",
                link_times.collective_time,
                convention=entry.words if link == "scale_up" else f"assumed: {entry.words}",
                moved=sending.moved[link],
                link_bandwidth=bandwidth,
                link_share=entry.value("link_share"),
                ranks=sending.ranks,
                latency=entry.value("latency"),
                latency_growth=entry.value("latency_growth"),
                exponent=entry.value("exponent"),
            )
            for link, bandwidth in (
                ("scale_up", self._bandwidth("scale_up")),
                ("scale_out", self._outwards()),
            )
        ]
        return _of_several(sending, combined(f"{sending.name}.seconds", "maximum", parts))

    def _of_experts(self, sending: Sending) -> Line:
        entry = self.entries.exchange("low_latency" if self.decoding else "normal")
        name = sending.name
        nodes = combined(f"{name}.nodes", "ratio", (sending.ranks, sending.members), unit="1")
        away = several(f"{name}.leaves_domain", nodes)
        here = entry.value("latency")
        more = combined(f"{name}.further", "difference", (entry.value("remote_latency"), here))
        added = combined(f"{name}.more_latency", "product", (more, away), unit="s")
        seconds = computed(
            f"{name}.seconds",
            link_times.exchange_time,
            convention=entry.words,
            scale_up_bytes=sending.moved["scale_up"],
            scale_up_bandwidth=self._bandwidth("scale_up"),
            scale_up_share=entry.value("scale_up_share"),
            scale_out_bytes=sending.moved["scale_out"],
            scale_out_bandwidth=self._outwards(),
            scale_out_share=entry.value("scale_out_share"),
            latency=total(f"{name}.latency", (here, added)),
        )
        return _of_several(sending, seconds)


def _of_several(sending: Sending, seconds: Line) -> Line:
    """Give the time of a call, 0 where a number that is no integer turns out to be one GPU."""
    if type(sending.ranks.value) is int:
        return seconds
    there = several(f"{sending.name}.several", sending.ranks)
    return combined(f"{sending.name}.seconds_of_several", "product", (seconds, there), unit="s")
