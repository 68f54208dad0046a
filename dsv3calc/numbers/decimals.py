"""Decimal numbers as exact ratios of integers, and the prefixes of units."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re

DECIMAL = {"": 1, "k": 10**3, "K": 10**3} | {
    letter: 1000**power for power, letter in enumerate("MGTPEZY", start=2)
}
BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)}

NUMBER = (
    r"(?P<sign>[-+]?)"
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+(?:_[0-9]+)*)?"
    r"(?:\.(?P<part>[0-9]+(?:_[0-9]+)*)?)?"
    r"(?:[eE](?P<exponent>[-+]?[0-9]+))?"
)


def decimal_ratio(value: float) -> tuple[int, int]:
    """Return the integers (numerator, denominator) of the decimal that a float is written as.

    0.1 gives (1, 10): a float stands for the number its author wrote, not for its binary value.

    Raises
    ------
    ValueError
        For NaN and the infinities.
    """
    if not isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return Decimal(repr(float(value))).as_integer_ratio()


def ratio_of(match: re.Match[str]) -> tuple[int, int]:
    """Return the numerator and denominator of a number that :data:`NUMBER` matched."""
    whole = (match["whole"] or "").replace("_", "").replace(",", "")
    part = (match["part"] or "").replace("_", "")
    power = int(match["exponent"] or 0) - len(part)
    numerator = int(whole + part) * (-1 if match["sign"] == "-" else 1)
    return (numerator * 10**power, 1) if power >= 0 else (numerator, 10**-power)
