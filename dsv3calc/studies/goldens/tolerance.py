"""What a golden row expects, and whether a value is as expected."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.numbers import quantity
from dsv3calc.reading.diagnostics import quote
from dsv3calc.schema.golden import Tolerance

if TYPE_CHECKING:
    from dsv3calc.schema.golden import Golden

FLOAT_TOLERANCE = 1e-12
"""Relative tolerance of a float whose row states none: the last bits depend on the platform."""

MOST_AS_PERCENT = 10
"""A value that changed by more than this share is reported as a multiple."""

DIMENSIONS = {
    "1": "count",
    "elements": "elements",
    "tokens": "tokens",
    "FLOP": "flop",
    "FLOP/token": "flop",
    "FLOP/s": "flop/s",
    "B": "bytes",
    "B/token": "bytes",
    "B/s": "bytes/s",
    "s": "s",
    "ratio": "ratio",
    "USD": "usd",
}
"""Unit of a ledger line -> dimension that a bound on it is written in; others are plain numbers."""

_BOUND = re.compile(r"(<=|>=|<|>)\s*(\S.*)")
_BETWEEN = re.compile(r"between\s+(\S.*?)\s+and\s+(\S.*)")


class Verdict:
    """Whether a value is as expected, with the words for a report."""

    __slots__ = ("difference", "kept", "wanted")

    def __init__(self, kept: bool, wanted: str, difference: str = "") -> None:  # noqa: FBT001
        self.kept = kept
        self.wanted = wanted
        self.difference = difference


def judge(golden: Golden, value: float, unit: str) -> Verdict:
    """Compare a value with what a row expects.

    Raises
    ------
    UsageError
        If the row's bound cannot be read in the quantity's unit.
    """
    if isinstance(golden.expect, str):
        found = _judge_bound(golden.expect, value, unit)
    else:
        wanted, kept = _judge_value(golden.expect, golden.tolerance, value, unit)
        found = Verdict(kept, wanted, difference(golden.expect, value))
    if golden.reproduces:
        return found
    return Verdict(not found.kept, f"not {found.wanted}", found.difference)


def difference(expected: float, value: float) -> str:
    """Write how far a value is from the expected one: the amount and the share."""
    delta = value - expected
    text = f"{delta:+,}" if isinstance(delta, int) else f"{delta:+.6g}"
    if not expected or not delta:
        return text
    share = delta / expected
    if abs(share) > MOST_AS_PERCENT:
        return f"{text} ({value / expected:.4g} times)"
    return f"{text} ({100 * share:+.4g} %)"


def _judge_value(expected: float, tolerance: Any, value: float, unit: str) -> tuple[str, bool]:
    if tolerance is None and (isinstance(expected, float) or isinstance(value, float)):
        tolerance = Tolerance(rel=FLOAT_TOLERANCE)
    if tolerance is None or tolerance == "exact":
        return f"{expected!r} exactly", value == expected
    if tolerance.rel is not None:
        bound = tolerance.rel * abs(expected)
        return f"{expected!r} within {tolerance.rel:g} of it", abs(value - expected) <= bound
    if tolerance.abs is not None:
        return f"{expected!r} ± {tolerance.abs:g}", abs(value - expected) <= tolerance.abs
    cut = tolerance.truncates_to is not None
    digits = tolerance.truncates_to if cut else tolerance.rounds_to
    size, words = 1.0, "cut off after" if cut else "rounded to"
    if tolerance.unit:
        size, words = _size(tolerance.unit, unit), f"in {tolerance.unit} {words}"
    return (
        f"{expected!r} when {words} {digits} digits",
        rounded(value, digits, size, cut=cut) == rounded(expected, digits, size),
    )


def _size(name: str, unit: str) -> float:
    """Return the size of a tolerance's unit in the base unit of the quantity."""
    try:
        return quantity.parse(f"1 {name}", DIMENSIONS.get(unit, "ratio"))
    except UsageError as error:
        raise UsageError(f"tolerance: unit: {error.message}", error.hint) from None


def rounded(value: float, digits: int, size: float = 1, *, cut: bool = False) -> Any:
    """Round to significant digits, half away from zero, exactly: as papers round.

    ``size`` is that of the unit whose digits count; ``cut`` leaves the further digits away.
    """
    from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext

    with localcontext() as context:
        context.prec = 60
        exact, scale = (
            Decimal(each) if isinstance(each, int) else Decimal(repr(each))
            for each in (value, size)
        )
        exact /= scale
        if not exact:
            return exact
        place = Decimal(1).scaleb(exact.adjusted() - digits + 1)
        return exact.quantize(place, ROUND_DOWN if cut else ROUND_HALF_UP)


def _judge_bound(text: str, value: float, unit: str) -> Verdict:
    between = _BETWEEN.fullmatch(text.strip())
    if between:
        low, high = (_amount(part, unit, text) for part in between.groups())
        if low > high:
            raise UsageError(f"expect: {quote(text)}: the lower bound is above the upper one")
        outside = low if value < low else high
        return Verdict(low <= value <= high, text, _beyond(outside, value))
    bound = _BOUND.fullmatch(text.strip())
    if bound is None:
        raise UsageError(
            f"expect: {quote(text)} is neither a number nor a bound",
            "write 70272, '<= 72KB', '>= 1' or 'between 60KB and 72KB'",
        )
    limit = _amount(bound[2], unit, text)
    kept = {
        "<=": value <= limit,
        ">=": value >= limit,
        "<": value < limit,
        ">": value > limit,
    }[bound[1]]
    return Verdict(kept, text, _beyond(limit, value))


def _beyond(limit: float, value: float) -> str:
    return difference(limit, value) + " from the bound"


def _amount(text: str, unit: str, whole: str) -> float:
    """Read a bound in the dimension of the quantity's unit."""
    dimension = DIMENSIONS.get(unit)
    try:
        if dimension is not None:
            return quantity.parse(text, dimension)
        return quantity.parse(text, "ratio", minimum=None)
    except UsageError as error:
        raise UsageError(f"expect: {quote(whole)}: {error.message}", error.hint) from None
