"""One accelerator as its data sheet and its measurements describe it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import msgspec

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.schema.achieved import Achieved
from dsv3calc.schema.fields import (
    PEAK_DTYPES,
    Bytes,
    BytesPerSecond,
    DollarsPerHour,
    FlopsPerSecond,
    Name,
    Size,
    Text,
    Watts,
)
from dsv3calc.schema.provenance import Source, provenance_problems

Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Device memory: bytes as sold, bytes as the driver reports, bandwidth.

    ``usable`` is null where no public driver report was found, ``bandwidth`` where no source
    gives it.
    """

    marketed: Bytes
    usable: Bytes | None = None
    bandwidth: BytesPerSecond | None = None


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One device's link, per direction: nominal and, where measured, achieved.

    ``domain_size`` is the number of devices that the link joins (null: not limited by it).
    ``in_network_reduction`` says that the switches of the link can add up an all-reduce.
    """

    name: Text
    nominal: BytesPerSecond
    achieved: BytesPerSecond | None = None
    domain_size: Size | None = None
    in_network_reduction: bool = False


class HostLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The link between host and one device, per direction (PCIe, NVLink-C2C)."""

    name: Text
    nominal: BytesPerSecond
    achieved: BytesPerSecond | None = None


class Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The storage tier of one host: capacity and read bandwidth."""

    capacity: Bytes | None = None
    bandwidth: BytesPerSecond | None = None


class HostExperts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Experts that the CPUs of a host compute, fitted to measurements.

    ``dram_share`` is the share of the memory bandwidth at which they read weights,
    ``device_seconds`` the time of a token beside that.
    """

    dram_share: Share
    device_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600, extra={"dimension": "s"})]


class Host(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The host of a node: its memory, its link to each device, its matrix peaks, its storage.

    ``peaks`` are those of all CPUs of the host together, by data type.
    """

    dram_capacity: Bytes | None = None
    dram_bandwidth: BytesPerSecond | None = None
    link: HostLink | None = None
    peaks: dict[str, FlopsPerSecond] = msgspec.field(default_factory=dict)
    storage: Storage | None = None
    experts: HostExperts | None = None


class Hardware(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One device. ``peaks`` are dense matrix peaks by data type, with FP32 accumulation.

    A structured-sparse peak is another field, and so is a peak that needs FP16 accumulation.
    ``node_size`` is the number of devices of one host, ``scale_up.domain_size`` the number that
    the scale-up link joins. ``family`` names the generation of chips, which factors of set-ups go
    by; ``multiprocessors`` are those of one device. What no source gives is null, and a query that
    needs it says so.
    """

    name: Name
    title: Text
    aliases: list[Name] = msgspec.field(default_factory=list)
    peaks: dict[str, FlopsPerSecond]
    sparse_peaks: dict[str, FlopsPerSecond] = msgspec.field(default_factory=dict)
    fp16_accumulate_peaks: dict[str, FlopsPerSecond] = msgspec.field(default_factory=dict)
    memory: Memory
    scale_up: Link | None = None
    scale_out: Link | None = None
    node_size: Size | None = None
    power: Watts | None = None
    family: Name | None = None
    multiprocessors: Size | None = None
    host: Host | None = None
    dollars_per_hour: DollarsPerHour | None = None
    achieved: Achieved | None = None
    sources: dict[str, Source]
    provenance: dict[str, str]

    def __repr__(self) -> str:
        """Show the name, the memory with its bandwidth, and the peaks."""
        usable = self.memory.usable
        shown = [f"{format_quantity(usable, 'B')} usable" if usable else
                 f"{self.memory.marketed / 10**9:g} GB"]  # fmt: skip
        if self.memory.bandwidth is not None:
            shown.append(format_quantity(self.memory.bandwidth, "B/s"))
        shown += [f"{dtype} {format_quantity(rate, 'FLOP/s')}"
                  for dtype, rate in self.peaks.items()]  # fmt: skip
        return f"<Hardware {self.name}: {', '.join(shown)}>"

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield unknown data types, a sparse peak taken for a dense one, unlisted sources."""
        for table in ("peaks", "sparse_peaks", "fp16_accumulate_peaks"):
            for dtype in getattr(self, table):
                if dtype not in PEAK_DTYPES:
                    yield (
                        (table, dtype),
                        f"'{dtype}' is no data type of a peak",
                        f"data types: {', '.join(PEAK_DTYPES)}",
                    )
        for dtype in self.host.peaks if self.host is not None else ():
            if dtype not in PEAK_DTYPES:
                yield (
                    ("host", "peaks", dtype),
                    f"'{dtype}' is no data type of a peak",
                    f"data types: {', '.join(PEAK_DTYPES)}",
                )
        if not self.peaks:
            yield ("peaks",), "peaks is empty", "give the dense peak of at least one data type"
        elif self.peaks.get("fp8", 0) > 2.2 * self.peaks.get("bf16", math.inf):
            yield (
                ("peaks", "fp8"),
                "the FP8 peak is more than twice the BF16 peak",
                "one of the two is a sparse peak: sparse figures belong under sparse_peaks",
            )
        if self.memory.usable is not None and self.memory.usable > 1.1 * self.memory.marketed:
            yield (
                ("memory", "usable"),
                "more memory is usable than was sold",
                "80 GB devices report about 79.1 GiB",
            )
        for path, what, why in self.achieved.problems() if self.achieved else ():
            yield ("achieved", *path), what, why
        yield from provenance_problems(self.sources, self.provenance)
