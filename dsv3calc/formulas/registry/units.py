"""The units of formula arguments and results, as annotations.

A formula is typed for its scalar evaluation; arrays and symbols pass through the same code. The
name of an annotation is its unit, so the registry reads a signature without evaluating it.
FLOPs and bytes are whole numbers, but for means and expectations: these are ``Fractional``.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated, TypeAlias

Count: TypeAlias = Annotated[int, "1"]
Elements: TypeAlias = Annotated[int, "elements"]
Tokens: TypeAlias = Annotated[int, "tokens"]
Flops: TypeAlias = Annotated[int, "FLOP"]
FlopsPerToken: TypeAlias = Annotated[float, "FLOP/token"]
FlopsPerSecond: TypeAlias = Annotated[float, "FLOP/s"]
FractionalFlops: TypeAlias = Annotated[float, "FLOP"]
Bits: TypeAlias = Annotated[int, "bit"]
Bytes: TypeAlias = Annotated[int, "B"]
FractionalBytes: TypeAlias = Annotated[float, "B"]
BytesPerToken: TypeAlias = Annotated[float, "B/token"]
BytesPerSecond: TypeAlias = Annotated[float, "B/s"]
Seconds: TypeAlias = Annotated[float, "s"]
Intensity: TypeAlias = Annotated[float, "FLOP/B"]
Ratio: TypeAlias = Annotated[float, "ratio"]
Expected: TypeAlias = Annotated[float, "1"]
TokensPerSecond: TypeAlias = Annotated[float, "tokens/s"]
Hertz: TypeAlias = Annotated[float, "Hz"]
Dollars: TypeAlias = Annotated[float, "USD"]
DollarsPerHour: TypeAlias = Annotated[float, "USD/h"]
Watts: TypeAlias = Annotated[float, "W"]
Joules: TypeAlias = Annotated[float, "J"]

UNITS: dict[str, str] = {
    "Count": "1",
    "Elements": "elements",
    "Tokens": "tokens",
    "Flops": "FLOP",
    "FlopsPerToken": "FLOP/token",
    "FlopsPerSecond": "FLOP/s",
    "FractionalFlops": "FLOP",
    "Bits": "bit",
    "Bytes": "B",
    "FractionalBytes": "B",
    "BytesPerToken": "B/token",
    "BytesPerSecond": "B/s",
    "Seconds": "s",
    "Intensity": "FLOP/B",
    "Ratio": "ratio",
    "Expected": "1",
    "TokensPerSecond": "tokens/s",
    "Hertz": "Hz",
    "Dollars": "USD",
    "DollarsPerHour": "USD/h",
    "Watts": "W",
    "Joules": "J",
}
"""Annotation name -> unit; a test holds it equal to the aliases above."""
