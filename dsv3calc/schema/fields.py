"""Field types that the schemas share: counts with their bounds, and fields given as quantities."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

LARGEST_COUNT = 2**40
"""No dimension of a model comes near a trillion; a larger one is a mistake worth naming."""

Size = Annotated[int, Meta(ge=1, le=LARGEST_COUNT)]
"""A dimension or a number of things of which there is at least one."""

Natural = Annotated[int, Meta(ge=0, le=LARGEST_COUNT)]
"""A number of things of which there may be none."""

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A preset's name: also its file name without the ending."""

Text = Annotated[str, Meta(min_length=1, max_length=2000)]

_BYTES_PER_SECOND = Meta(ge=1, le=10**18, extra={"dimension": "bytes/s"})
_FLOPS_PER_SECOND = Meta(ge=1, le=9 * 10**18, extra={"dimension": "flop/s"})
_SECONDS = Meta(gt=0, le=3600, extra={"dimension": "s"})
_WATTS = Meta(gt=0, le=10**6, extra={"dimension": "w"})
_DOLLARS_PER_HOUR = Meta(gt=0, le=10**6, extra={"dimension": "usd/h"})

Bytes = Annotated[int, Meta(ge=1, le=2**60, extra={"dimension": "bytes"})]
# msgspec bounds a union of numbers only member by member
BytesPerSecond = Annotated[int, _BYTES_PER_SECOND] | Annotated[float, _BYTES_PER_SECOND]
FlopsPerSecond = Annotated[int, _FLOPS_PER_SECOND] | Annotated[float, _FLOPS_PER_SECOND]
DollarsPerHour = Annotated[int, _DOLLARS_PER_HOUR] | Annotated[float, _DOLLARS_PER_HOUR]
Seconds = Annotated[int, _SECONDS] | Annotated[float, _SECONDS]
Watts = Annotated[int, _WATTS] | Annotated[float, _WATTS]

PEAK_DTYPES = (
    "fp64",
    "fp32",
    "tf32",
    "bf16",
    "fp16",
    "fp8",
    "mxfp8",
    "fp6",
    "fp4",
    "mxfp4",
    "int8",
    "int4",
)
"""Data types that matrix units have peaks for."""

Kind = Literal["datasheet", "paper", "measured", "derived", "fitted", "assumed"]
"""How a datum came to be."""
