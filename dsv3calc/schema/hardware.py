"""One accelerator as its data sheet and its measurements describe it."""

# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator

import msgspec

from dsv3calc.schema.fields import (
    PEAK_DTYPES,
    Bytes,
    BytesPerSecond,
    DollarsPerHour,
    FlopsPerSecond,
    Name,
    Size,
    Text,
)
from dsv3calc.schema.provenance import Source, provenance_problems


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """HBM of one device: bytes as sold, bytes as the driver reports, bandwidth.

    ``usable`` is null where no public driver report was found.
    """

    marketed: Bytes
    usable: Bytes | None
    bandwidth: BytesPerSecond


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One device's link, per direction: nominal and, where measured, achieved.

    ``domain_size`` is the number of devices that the link joins (null: not limited by it).
    """

    name: Text
    nominal: BytesPerSecond
    achieved: BytesPerSecond | None
    domain_size: Size | None


class Hardware(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One device. ``peaks`` are dense matrix peaks by data type; a sparse peak is another field."""

    name: Name
    title: Text
    aliases: list[Name] = msgspec.field(default_factory=list)
    peaks: dict[str, FlopsPerSecond]
    sparse_peaks: dict[str, FlopsPerSecond] = msgspec.field(default_factory=dict)
    memory: Memory
    scale_up: Link
    scale_out: Link | None
    dollars_per_hour: DollarsPerHour | None
    sources: dict[str, Source]
    provenance: dict[str, str]

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield a missing BF16 peak, a sparse peak taken for a dense one, unlisted sources."""
        for table in ("peaks", "sparse_peaks"):
            for dtype in getattr(self, table):
                if dtype not in PEAK_DTYPES:
                    yield (
                        (table, dtype),
                        f"'{dtype}' is no data type of a peak",
                        f"data types: {', '.join(PEAK_DTYPES)}",
                    )
        if "bf16" not in self.peaks:
            yield ("peaks",), "peaks needs bf16", "every comparison has columns that run in BF16"
        elif "fp8" in self.peaks and self.peaks["fp8"] > 2.2 * self.peaks["bf16"]:
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
        yield from provenance_problems(self.sources, self.provenance)
