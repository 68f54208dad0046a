"""A computed value written as a paper prints it, and how far it is from the print."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

from dsv3calc.numbers.quantity_format import format_quantity

_NUMBER = re.compile(r"[0-9][0-9,]*(?:\.([0-9]+))?")
_MORE_DECIMALS = 2
_MOST_DECIMALS = 12


def as_published(published: str, expect: float | str, value: float, unit: str) -> str:
    """Write a value in the units of a published text, with two more digits than that has.

    Without a number in the text, or where the row expects a bound, in units of our own.

    Examples
    --------
    >>> as_published("7.28x", 7.28, 7.34426, "ratio"), as_published("671B", 671e9, 671026419200, "")
    ('7.3443x', '671.03B')
    >>> as_published("43.73 %", 0.4373, 0.437284, "ratio"), as_published("half", 0.5, 0.5, "ratio")
    ('43.7284 %', '0.5')
    """
    match = _NUMBER.search(published)
    if match is None or isinstance(expect, str) or not expect:
        return format_quantity(value, unit)
    printed = float(match[0].replace(",", ""))
    prefix = "$" if published[: match.start()].endswith("$") else ""
    suffix = re.split(r"[,;(]", published[match.end() :])[0].rstrip()
    if value == expect:
        return f"{prefix}{match[0]}{suffix}"
    shown = value * printed / expect
    decimals = min(len(match[1] or "") + _MORE_DECIMALS, _MOST_DECIMALS)
    text = f"{shown:,.{decimals}f}" if "," in match[0] else f"{shown:.{decimals}f}"
    return f"{prefix}{text.rstrip('0').rstrip('.')}{suffix}"


def relative_error(expect: float | str, value: float) -> float | None:
    """Return computed over published, less one; None of a bound."""
    if isinstance(expect, str) or not expect:
        return None
    return 0 if value == expect else value / expect - 1
