"""What a row says of a kernel or an exchange: inputs of a formula, and the times that it took."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.reading.diagnostics import quote
from dsv3calc.schema.measurement import SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.measurement import Row

Point = dict[str, float]
TRACED = "traced"
"""The kind of kernels that ran beside communication: fitted to only where there are no others."""


class NotExpressed(Exception):
    """Why no formula can be asked for a row, in words that many rows share."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Measured times with the inputs that predict them.

    ``kind`` is what is scored together, ``entry`` the path of the entry of an ``achieved`` block
    that the times belong to, without the library that it may name, ``library`` that. ``points``
    are the inputs of the form of the entry, ``sizes`` what people call them by.
    """

    row: Row
    device: Hardware
    kind: str
    form: str
    entry: tuple[str, ...]
    library: str = ""
    computes_in: str = ""
    points: list[Point]
    sizes: dict[str, list[float]]
    seconds: list[float]

    @property
    def key(self) -> tuple[str, ...]:
        """The path of the entry with its library."""
        if not self.library:
            return self.entry
        return (*self.entry[:-1], f"{self.entry[-1]}-{self.library}")


class Format(msgspec.Struct, frozen=True):
    """A data type as kernels take it: its key, widths of weight and activation, its peak."""

    key: str
    weight_bits: int
    activation_bits: int
    computes_in: str


FORMATS = {
    **dict.fromkeys(("bf16", "bfloat16"), Format("bf16", 16, 16, "bf16")),
    **dict.fromkeys(("fp16", "float16"), Format("bf16", 16, 16, "fp16")),
    "fp8": Format("fp8", 8, 8, "fp8"),
    **dict.fromkeys(("fp8_block", "fp8 1x128/128x128 scaling"), Format("fp8_block", 8, 8, "fp8")),
    **dict.fromkeys(("nvfp4", "fp4", "mxfp4"), Format("nvfp4", 4, 4, "fp4")),
    "int8": Format("int8", 8, 8, "int8"),
    **dict.fromkeys(("fp32", "float32"), Format("fp32", 32, 32, "fp32")),
    **dict.fromkeys(("fp64", "float64"), Format("fp64", 64, 64, "fp64")),
}
"""Data type as rows name it, in small letters -> what kernels do."""


def format_of(text: str) -> Format:
    """Return the format of a data type as a row names it, that of the first where several are."""
    name = re.split(r",| / | compute", text.casefold())[0].strip()
    found = FORMATS.get(name)
    if found is None:
        raise NotExpressed(f"data type {quote(text)}")
    return found


def cache_format(row: Row) -> Format:
    """Return the format of the KV cache that the row names after its operands."""
    _, _, cache = row.prec.partition("KV ")
    return format_of(cache) if cache else format_of(row.prec)


def number(row: Row, *places: str) -> float:
    """Return a number that a row states: the first of places such as ``value.heads``."""
    for place in places:
        table, _, name = place.partition(".")
        found = getattr(row, table).get(name)
        if isinstance(found, int | float) and not isinstance(found, bool) and found > 0:
            return found
    raise NotExpressed(f"no {places[0].partition('.')[2]}")


def column(row: Row, name: str) -> list[float]:
    """Return a list of the row's series, of numbers above 0."""
    found = row.series.get(name)
    if found is None:
        raise NotExpressed(f"no {name}")
    return positive(name, found)


def positive(name: str, found: Sequence[Any]) -> list[float]:
    """Return a list of numbers above 0, as which a row gives a quantity."""
    for each in found:
        if isinstance(each, bool) or not isinstance(each, int | float) or not each > 0:
            raise NotExpressed(f"{name} is not a list of numbers above 0")
    return list(found)


def times(row: Row, *names: str) -> list[float]:
    """Return measured times in seconds: a series, or one value, of a metric in any unit."""
    for name in names:
        for unit, factor in SECONDS.items():
            for metric in (f"{name}_{unit}", f"{name}_{unit}_derived"):
                found = row.series.get(metric, row.value.get(metric))
                if found is not None:
                    listed = found if isinstance(found, list) else [found]
                    return [factor * each for each in positive(metric, listed)]
    raise NotExpressed(f"no {' or '.join(names)}")


def repeated(values: float | Sequence[float], length: int) -> list[float]:
    """Return a list of a length: a list that has it already, or one value repeated."""
    listed = list(values) if isinstance(values, list | tuple) else [float(values)]  # type: ignore[arg-type]
    if len(listed) == length:
        return listed
    if len(listed) == 1:
        return listed * length
    raise NotExpressed("lists of different lengths")


def compute_part(row: Row) -> float:
    """Return the part of the device that computes, where a row says that others communicate."""
    found = re.search(r"(\d+) SMs compute \+ (\d+) SMs comm", row.note)
    return int(found[1]) / (int(found[1]) + int(found[2])) if found else 1.0
