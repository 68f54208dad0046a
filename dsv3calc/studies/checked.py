"""What queries give, checked: counts, numbers, and words chosen from a list."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dsv3calc.errors import UsageError
from dsv3calc.reading.diagnostics import did_you_mean, quote

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


LARGEST_WORKLOAD = 10**15


def positive(
    name: str, value: int | None, default: int, *, least: int = 1, most: int = LARGEST_WORKLOAD
) -> int:
    """Return a count that a query gives, checked, or its default."""
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        shown = "10^15" if most == LARGEST_WORKLOAD else f"{most:,}"
        raise UsageError(
            f"{name} {quote(str(value))}: expected an integer from {least} to {shown}",
        )
    return int(value)


def number(
    option: str, value: float | None, default: float, *, least: float = 0, most: float = math.inf
) -> float:
    """Return a number that a query gives, checked, or its default."""
    if value is None:
        return default
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if not known or not least <= value <= most:
        percent = known and least <= value / 100 <= most == 1
        raise UsageError(
            f"{option} {quote(str(value))}: expected a number from {least} to {most}",
            f"{option} {value:g}%" if percent else "",
        )
    return int(value) if int(value) == value else float(value)


def one_of(option: str, value: str | None, choices: Collection[str], default: str) -> str:
    """Return a choice, or its default where none is given."""
    if value is None:
        return default
    if value not in choices:
        raise UsageError(
            f"{option} {quote(value)}: choose one of {', '.join(choices)}",
            did_you_mean(value, choices),
        )
    return value


def check_names(names: Iterable[str], known: Collection[str], what: str, listed: str) -> None:
    """Refuse a name that is not known; ``what`` has ``{}`` in place of it.

    Raises
    ------
    UsageError
        With the name that was probably meant, or all of them, which ``listed`` calls.
    """
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, f"{listed}: {', '.join(known)}")
            raise UsageError(what.format(quote(name)), hint)
