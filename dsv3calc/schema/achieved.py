"""What kernels and links of a device achieve: shares of its peaks, and fixed launch overheads.

The values are fitted to measurements by ``dsv3calc calibrate``. Each entry says by how many it was,
how far they lie from it, and in which range: outside of it the entry is an extrapolation.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from dsv3calc.schema.fields import PEAK_DTYPES, Name, Natural, Size, Text
from dsv3calc.schema.provenance import Source, provenance_problems

Share = Annotated[float, msgspec.Meta(gt=0, le=4)]
Deviation = Annotated[float, msgspec.Meta(gt=-1, le=100)]
Growth = Annotated[float, msgspec.Meta(ge=0, le=100)]
Exponent = Annotated[float, msgspec.Meta(ge=0.25, le=8)]
Duration = Annotated[float, msgspec.Meta(ge=0, le=60, extra={"dimension": "s"})]
Limits = Annotated[list[float], msgspec.Meta(min_length=2, max_length=2)]


class Fit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the values of an entry came to be, and how well they hold.

    ``assumed`` values are those of other devices; their error is then the median error with which
    such values predicted a device that was left out. ``rows`` are names of measurements. The
    deviations compare the time that the entry gives to the measured one: 0.1 is 10 % too long.
    ``ranges`` are the smallest and the largest of each quantity in the measurements.
    """

    kind: Literal["fitted", "assumed"]
    rows: list[Text]
    points: Size
    median_error: Deviation
    p10: Deviation
    p90: Deviation
    unseen_error: Deviation | None = None
    transfer_error: Deviation | None = None
    ranges: dict[str, Limits] = msgspec.field(default_factory=dict)


class Kernel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A kernel as ``kernel_time`` describes it.

    ``computes_in`` names the peak that it computes at. ``pass_share`` is the share of the memory
    bandwidth of the passes beside it (the cast of activations, permutation and SwiGLU of experts);
    null where there are none.
    """

    computes_in: str
    compute_share: Share
    bandwidth_share: Share
    serial_latency: Duration = 0
    exponent: Exponent = 2
    pass_share: Share | None = None
    launch: Duration
    fit: Fit


class Pass(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pass over memory by itself, such as a copy: its share of the bandwidth, its launch."""

    bandwidth_share: Share
    launch: Duration
    fit: Fit


class Prefill(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Attention over new tokens as ``prefill_attention_time`` describes it."""

    computes_in: str
    compute_share: Share
    half_length: Natural
    bandwidth_share: Share
    launch: Duration
    fit: Fit


class AttentionKernels(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Attention by phase, then by data type: of the operands, or of the cache in decoding.

    The entries of MLA are those of its expanded form in prefill, of its absorbed one in decoding.
    """

    prefill: dict[str, Prefill] = msgspec.field(default_factory=dict)
    backward: dict[str, Prefill] = msgspec.field(default_factory=dict)
    decode: dict[str, Kernel] = msgspec.field(default_factory=dict)
    mla_prefill: dict[str, Prefill] = msgspec.field(default_factory=dict)
    mla_backward: dict[str, Prefill] = msgspec.field(default_factory=dict)
    mla_decode: dict[str, Kernel] = msgspec.field(default_factory=dict)


class Collective(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A collective in one domain as ``collective_time`` describes it."""

    link_share: Share
    latency: Duration
    latency_growth: Growth
    exponent: Exponent
    fit: Fit


class Exchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A dispatch or a combine as ``exchange_time`` describes it.

    ``latency`` holds within a node, ``remote_latency`` where the exchange leaves it. What was not
    measured is null.
    """

    scale_up_share: Share | None = None
    scale_out_share: Share | None = None
    latency: Duration | None = None
    remote_latency: Duration | None = None
    fit: Fit


class LinkRates(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Collectives by name (``all_reduce`` …), exchanges by name (``low_latency``, ``normal``)."""

    collectives: dict[str, Collective] = msgspec.field(default_factory=dict)
    exchanges: dict[str, Exchange] = msgspec.field(default_factory=dict)


class Achieved(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a device achieves: products and experts by data type, attention, links, passes.

    A data type may carry the library that an entry holds for: ``fp8_block-deepgemm``. ``like``
    names a device of the same family: its entries hold where this block has none. ``passes`` has
    ``copy``; without one a pass goes at the bandwidth share of BF16 products.
    """

    like: Name | None = None
    gemm: dict[str, Kernel] = msgspec.field(default_factory=dict)
    experts: dict[str, Kernel] = msgspec.field(default_factory=dict)
    attention: AttentionKernels = msgspec.field(default_factory=AttentionKernels)
    links: LinkRates = msgspec.field(default_factory=LinkRates)
    passes: dict[str, Pass] = msgspec.field(default_factory=dict)

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield kernels that compute in an unknown data type."""
        tables: list[tuple[tuple[str, ...], dict[str, Kernel] | dict[str, Prefill]]] = [
            (("gemm",), self.gemm),
            (("experts",), self.experts),
            *(
                (("attention", phase), getattr(self.attention, phase))
                for phase in self.attention.__struct_fields__
            ),
        ]
        for path, table in tables:
            for name, entry in table.items():
                if entry.computes_in not in PEAK_DTYPES:
                    yield (
                        (*path, name, "computes_in"),
                        f"'{entry.computes_in}' is no data type of a peak",
                        f"data types: {', '.join(PEAK_DTYPES)}",
                    )


class AchievedDefaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What devices achieve for which no measurements exist: the values of all others together.

    ``ring_base`` and ``ring_step`` are the latency of a collective in a domain and of each step of
    its ring, from which the growth follows where groups of one size alone were measured.
    """

    name: Name
    title: Text
    ring_base: Duration
    ring_step: Duration
    achieved: Achieved
    sources: dict[str, Source]
    provenance: dict[str, str]

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield problems of the block, and unlisted sources."""
        for path, what, why in self.achieved.problems():
            yield ("achieved", *path), what, why
        yield from provenance_problems(self.sources, self.provenance)
