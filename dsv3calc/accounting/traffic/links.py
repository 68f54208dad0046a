"""How long a collective takes on the two links of a GPU, and the bandwidths that it shows."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.device import scale_up_of
from dsv3calc.accounting.traffic.algorithms import LINKS, phases_of, sent
from dsv3calc.errors import UsageError
from dsv3calc.formulas import algorithms, transfers
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.tags import UNTAGGED, Tags

if TYPE_CHECKING:
    from dsv3calc.accounting.placement.rank_order import GroupPlacement
    from dsv3calc.schema.hardware import Hardware

_ALONE: dict[str, Any] = {
    "imbalance": given("imbalance", 1, "ratio", "all GPUs of a group send the same amount"),
    "rounds": given("rounds", 0, "1", "latencies are added to the time of both links"),
    "latency": given("latency", 0, "s"),
}
"""Of the time that bytes alone take on a link."""


class Links:
    """Bandwidth and message latency of the two links of a GPU.

    ``bandwidth`` is ``nominal`` or ``achieved``. A latency of None leaves messages out of the time.
    """

    __slots__ = ("bandwidths", "convention", "hardware", "latencies")

    def __init__(
        self, hardware: Hardware, bandwidth: str, latencies: dict[str, float] | None = None
    ) -> None:
        if bandwidth not in ("nominal", "achieved"):
            raise UsageError(f"unknown bandwidth '{bandwidth}'", "nominal or achieved")
        self.hardware = hardware
        self.bandwidths: dict[str, Line | None] = {}
        for name in LINKS:
            link = getattr(hardware, name)
            if link is not None and getattr(link, bandwidth) is None:
                raise UsageError(
                    f"{hardware.name} has no {bandwidth} bandwidth of {link.name}",
                    "use its nominal bandwidth",
                )
            self.bandwidths[name] = (
                None if link is None else field((f"hardware.{name}", link), bandwidth, "B/s")
            )
        self.latencies = {
            name: given(f"latency.{name}", value, "s", "of each message")
            for name, value in (latencies or {}).items()
        }
        self.convention = f"{bandwidth} bandwidth, {'with' if latencies else 'without'} latency"

    def time(
        self, name: str, moved: dict[str, Line], messages: dict[str, Line], *, overlapped: bool
    ) -> Line:
        """Bound the time of a collective: of both links at once, or of one after the other.

        Raises
        ------
        UsageError
            If bytes leave a node of hardware that has no scale-out link.
        """
        times = []
        for link in LINKS:
            bandwidth = self.bandwidths[link]
            if bandwidth is not None:
                times.append(
                    computed(
                        f"{name}.{link}_time",
                        transfers.transfer_time,
                        moved=moved[link],
                        link_bandwidth=bandwidth,
                        **_ALONE,
                    )
                )
            elif type(moved[link].value) is not int or moved[link].value:
                raise UsageError(
                    f"{name} leaves the scale-up domain, and {self.hardware.name} has no scale_out",
                    "choose other --hardware, or a layout of one domain",
                )
        rule = "maximum" if overlapped else "sum"
        parts = [combined(f"{name}.bandwidth_time", rule, times)]
        parts += [
            combined(f"{name}.{link}_latency", "product", (messages[link], latency), unit="s")
            for link, latency in self.latencies.items()
        ]
        return total(f"{name}.time", parts, convention=self.convention)


def measured(hardware: Hardware, *, inside: bool) -> Hardware | None:
    """Return a device whose links all have an achieved bandwidth, or None where one is unknown.

    ``inside`` says that a layout stays in one scale-up domain: its device then needs no other link.
    """
    if scale_up_of(hardware).achieved is None:
        return None
    if hardware.scale_out is None or hardware.scale_out.achieved is not None:
        return hardware
    return msgspec.structs.replace(hardware, scale_out=None) if inside else None


class RateLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``PREFIX.time`` [s], ``.algorithm_bandwidth`` and ``.bus_bandwidth`` [B/s]."""

    time: Line
    algorithm_bandwidth: Line
    bus_bandwidth: Line


def rates_of(
    prefix: str,
    primitive: str,
    payload: Line,
    span: GroupPlacement,
    algorithm: str,
    links: Links,
    tags: Tags = UNTAGGED,
) -> RateLines:
    """Give the time of one call and its bandwidths as a benchmark reports them."""
    call = sent(prefix, primitive, payload, span, algorithm)
    seconds = links.time(prefix, call.bytes, call.messages, overlapped=call.overlapped)
    return RateLines(
        time=seconds,
        algorithm_bandwidth=computed(
            f"{prefix}.algorithm_bandwidth",
            algorithms.algorithm_bandwidth,
            tags=tags,
            convention=f"one call, {algorithm}; {links.convention}",
            payload=payload,
            seconds=seconds,
        ),
        bus_bandwidth=computed(
            f"{prefix}.bus_bandwidth",
            algorithms.bus_bandwidth,
            tags=tags,
            convention=f"one call, {algorithm}; {links.convention}",
            phases=phases_of(primitive),
            ranks=span.ranks,
            payload=payload,
            seconds=seconds,
        ),
    )
