"""A network technology: ports, bandwidth, latency, and what was measured on it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from dsv3calc.schema.fields import BytesPerSecond, Name, Seconds, Size, Text
from dsv3calc.schema.provenance import Source, provenance_problems

_DOLLARS = msgspec.Meta(ge=0, le=10**9, extra={"dimension": "usd"})
Dollars = Annotated[int, _DOLLARS] | Annotated[float, _DOLLARS]


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An all-to-all bandwidth per rank, measured with ``endpoints`` ranks.

    ``logical`` counts the bytes for every destination, the own node included; ``physical`` is what
    the network carries of it, null where that is not known.
    """

    name: Name
    endpoints: Size
    logical: BytesPerSecond
    physical: BytesPerSecond | None = None


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A network technology, per endpoint and direction.

    Latencies are of a small message, end to end, as the CPU sees it: below one leaf switch, and
    between two (null where there is one stage of switches). ``radix`` is null where no switch of
    that many ports is sold or described, the prices where none is known.
    """

    name: Name
    title: Text
    aliases: list[Name] = msgspec.field(default_factory=list)
    radix: Size | None = None
    bandwidth_nominal: BytesPerSecond
    latency_same_leaf: Seconds
    latency_cross_leaf: Seconds | None = None
    switch_price: Dollars | None = None
    link_price: Dollars | None = None
    measurements: list[Measurement] = msgspec.field(default_factory=list)
    sources: dict[str, Source]
    provenance: dict[str, str]

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield latencies and bandwidths that contradict each other, and names given twice."""
        cross = self.latency_cross_leaf
        if cross is not None and cross < self.latency_same_leaf:
            yield (
                ("latency_cross_leaf",),
                "the latency between leaf switches is less than below one",
                "a message between two leaf switches passes both",
            )
        seen: set[str] = set()
        for index, each in enumerate(self.measurements):
            if each.name in seen:
                yield (
                    ("measurements", index, "name"),
                    f"'{each.name}' is listed twice",
                    "a measurement is asked for by its name",
                )
            seen.add(each.name)
            if each.physical is not None and each.physical > each.logical:
                yield (
                    ("measurements", index, "physical"),
                    "more bytes cross the network than are sent",
                    "the logical bandwidth counts the own node's bytes too",
                )
        yield from provenance_problems(self.sources, self.provenance)
