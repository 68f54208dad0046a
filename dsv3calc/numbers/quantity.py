"""Quantities in words: parse what people type; ``quantity_format`` formats what people read.

A text is read against an *expected dimension*, so that ``128k`` is 128,000 tokens and not 128
Boltzmann constants, and ``671B`` is 671e9 elements but 671 bytes. All arithmetic is on pairs of
integers: what is written exactly is kept exactly. ``k`` and ``K`` are 1000, ``Ki`` is 1024.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from math import isfinite

from dsv3calc.errors import UsageError
from dsv3calc.numbers.decimals import BINARY, DECIMAL, NUMBER, decimal_ratio, ratio_of

LONGEST_TEXT = 100  # characters: an answer in milliseconds whatever is pasted
MOST_DIGITS = 40  # significant digits, and the largest decimal exponent either way

_COUNT_PREFIXES = DECIMAL | {"B": 10**9} | BINARY
_WHOLE = frozenset({"bytes", "count", "tokens", "elements"})  # no half of one exists

# dimension: its base unit in words, then examples of what it accepts
DIMENSIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "bytes": ("bytes", ("80GiB", "80 GB", "656 B")),
    "bytes/s": ("bytes per second", ("3.35TB/s", "400Gbit/s", "50 GB/s")),
    "flop": ("FLOP", ("250 GFLOP", "3e24")),
    "flop/s": ("FLOP per second", ("989.4 TFLOP/s", "989.4 TFLOPS", "989.4T")),
    "s": ("seconds", ("3.6us", "20 ms", "1.5 s", "2 h")),
    "count": ("a count", ("256", "7e3", "671B")),
    "tokens": ("tokens", ("4096", "128k", "128Ki", "14.8T")),
    "ratio": ("a ratio", ("0.9", "90%")),
    "w": ("watts", ("700", "700 W", "1.2 kW")),
    "usd": ("US dollars", ("2", "$2", "5.5M USD")),
    "usd/h": ("US dollars per hour", ("2", "$2/h", "2 USD/h")),
    "elements": ("elements", ("671B", "7e9")),
    "bits": ("bits", ("8", "8 bit", "1 B")),
}

_SHOWN = 40  # characters of a text that a message quotes
_DECIMAL_NAMES = {
    "flop": ("", "FLOP", "FLOPs", "flop"),
    "flop/s": ("", "FLOP/s", "FLOPs/s", "FLOPS", "FLOPs", "flop/s", "flops/s", "flops"),
    "w": ("", "W"),
}
_UNIT_TABLES: dict[str, dict[str, tuple[int, int]]] = {}


class QuantityError(UsageError):
    """A text that is not a quantity of the expected dimension.

    ``what`` is the fault alone, ``valid`` the accepted forms and ``suggestion`` the likely
    intention (or ""); ``message`` and ``hint`` put them together for the command line.
    """

    def __init__(self, what: str, dimension: str, suggestion: str = "", expected: str = "") -> None:
        words, examples = DIMENSIONS[dimension]
        self.what = what
        self.valid = f"{', '.join(examples)}, or a plain number ({words})"
        self.suggestion = suggestion
        if expected:  # the form is right, and the value is not
            super().__init__(f"{what}: expected {expected}")
            return
        super().__init__(
            f"{what} (expected {words if dimension == 'count' else dimension})",
            (f"did you mean {suggestion}? " if suggestion else "") + f"Valid: {self.valid}.",
        )


def _prefixed(prefixes: dict[str, int], *names: str, per: int = 1) -> dict[str, tuple[int, int]]:
    return {f"{p}{name}": (scale, per) for name in names for p, scale in prefixes.items()}


def _units(dimension: str) -> dict[str, tuple[int, int]]:
    """Return unit -> (numerator, denominator) of its size in base units; spaces are taken out."""
    table = _UNIT_TABLES.get(dimension)
    if table is None:
        table = _UNIT_TABLES[dimension] = _build_units(dimension)
    return table


def _build_units(dimension: str) -> dict[str, tuple[int, int]]:  # noqa: PLR0911 - a table
    both = DECIMAL | BINARY
    byte, bit = ("B", "byte", "bytes"), ("b", "bit", "bits")
    if dimension == "bytes":
        return _prefixed(both, "", *byte)  # bits are refused: 40Gb of memory is a slip for 40GB
    if dimension == "bits":
        eightfold = {unit: (8 * size, 1) for unit, (size, _) in _prefixed(both, *byte).items()}
        return _prefixed(both, "", *bit) | eightfold
    if dimension == "bytes/s":
        # a bare 400G is refused: switches say it for bits, memories for bytes
        return (
            {"": (1, 1)}
            | _prefixed(both, "B/s", "Bps", "byte/s", "bytes/s")
            | _prefixed(both, "b/s", "bps", "bit/s", "bits/s", per=8)
        )
    if dimension in _DECIMAL_NAMES:
        return _prefixed(DECIMAL, *_DECIMAL_NAMES[dimension])
    if dimension == "s":
        table: dict[str, tuple[int, int]] = {"ps": (1, 10**12), "ns": (1, 10**9), "ms": (1, 1000)}
        table |= dict.fromkeys(("us", "\N{MICRO SIGN}s", "\N{GREEK SMALL LETTER MU}s"), (1, 10**6))
        table |= dict.fromkeys(("", "s", "sec", "second", "seconds"), (1, 1))
        table |= dict.fromkeys(("min", "minute", "minutes"), (60, 1))
        table |= dict.fromkeys(("h", "hour", "hours"), (3600, 1))
        return table | dict.fromkeys(("d", "day", "days"), (86400, 1))
    if dimension == "ratio":
        return {"": (1, 1), "%": (1, 100)}
    if dimension == "usd":
        return _prefixed(_COUNT_PREFIXES, "", "USD", "$")
    if dimension == "usd/h":
        return _prefixed(_COUNT_PREFIXES, "", "USD/h", "USD/hour", "$/h", "/h", "/hour")
    word = {"tokens": ("tokens", "token"), "elements": ("elements", "element")}
    return _prefixed(_COUNT_PREFIXES, "", *word.get(dimension, ()))


def _shown(text: object) -> str:
    """Return a text in quotes, shortened, for a message: ``repr`` escapes control characters."""
    words = str(text)
    return repr(words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…")


def parse(text: str | float, dimension: str, *, minimum: float | None = 0) -> int | float:
    """Read a quantity, exactly, in the base unit of the expected dimension.

    A number without a unit is in base units. A fraction of a byte in a text with a binary prefix
    (``79.65GiB``) is below what the text says and is rounded to the nearest byte.

    Parameters
    ----------
    text : str or int or float
        What the user wrote.
    dimension : str
        One of ``DIMENSIONS``.
    minimum : int or float, optional
        The smallest accepted value, in base units; None for no bound.

    Returns
    -------
    int or float
        Base units; an int where the exact value is an integer, otherwise the nearest float.

    Raises
    ------
    UsageError
        (``QuantityError``) for anything that is not such a quantity.

    Examples
    --------
    >>> parse("128k", "tokens"), parse("128Ki", "tokens"), parse("400 Gbit/s", "bytes/s")
    (128000, 131072, 50000000000)
    >>> parse("671B", "elements"), parse("671B", "bytes"), parse("3.6us", "s")
    (671000000000, 671, 3.6e-06)
    """
    if dimension not in DIMENSIONS:
        raise ValueError(f"{dimension!r} is not a dimension: {', '.join(DIMENSIONS)}")
    unit = ""
    if isinstance(text, str):
        numerator, denominator, unit = _read(text, dimension)
    else:
        numerator, denominator = _read_number(text, dimension)
    size, per = _units(dimension)[unit]
    numerator, denominator = numerator * size, denominator * per
    rest = numerator % denominator
    if rest and dimension == "bytes" and any(unit.startswith(prefix) for prefix in BINARY):
        numerator, denominator, rest = (2 * numerator + denominator) // (2 * denominator), 1, 0
    if rest and dimension in _WHOLE:
        of = "" if dimension == "count" else f" of {dimension}"
        raise QuantityError(f"{_shown(text)} is not a whole number{of}", dimension)
    if not rest:
        numerator, denominator = numerator // denominator, 1
    value = numerator if denominator == 1 else numerator / denominator
    if minimum is not None and value < minimum:
        number = "a whole number" if dimension in _WHOLE else "a number"
        of = "" if dimension == "count" else f"{dimension}, "
        raise QuantityError(
            f"is {str(text).strip()}", dimension, expected=f"{number} of {of}at least {minimum}"
        )
    return value


def _read_number(value: object, dimension: str) -> tuple[int, int]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise QuantityError(f"a {type(value).__name__} is not a quantity", dimension)
    # a huge integer has no float, and its digits may be too many to print
    if isinstance(value, float) and not isfinite(value):
        raise QuantityError(f"{value} is not a quantity", dimension)
    if abs(value) > 10**MOST_DIGITS:
        raise QuantityError(f"the number is beyond 1e{MOST_DIGITS}", dimension)
    return (value, 1) if isinstance(value, int) else decimal_ratio(value)


def _read(text: str, dimension: str) -> tuple[int, int, str]:
    """Split a text into numerator, denominator and known unit."""
    stripped = text.strip()
    if not stripped:
        raise QuantityError("an empty text is not a quantity", dimension)
    if len(text) > LONGEST_TEXT:
        raise QuantityError(f"{_shown(text)} is longer than {LONGEST_TEXT} characters", dimension)
    dollar = stripped.startswith("$") and dimension.startswith("usd")
    body = stripped[1:].lstrip() if dollar else stripped
    match = re.match(NUMBER, body)
    if match is None or not (match["whole"] or match["part"]):
        raise QuantityError(f"{_shown(text)} does not start with a number", dimension)
    digits = ((match["whole"] or "") + (match["part"] or "")).replace("_", "").replace(",", "")
    exponent = match["exponent"] or "0"
    if len(digits.strip("0")) > MOST_DIGITS or len(digits) > 2 * MOST_DIGITS:
        raise QuantityError(f"{_shown(text)} has more than {MOST_DIGITS} digits", dimension)
    if abs(int(exponent)) > MOST_DIGITS or len(digits) - len(match["part"] or "") > MOST_DIGITS:
        raise QuantityError(f"{_shown(text)} is beyond 1e{MOST_DIGITS}", dimension)
    unit = "".join(body[match.end() :].split())
    number = match.group()
    if "," in unit:
        raise QuantityError(f"{_shown(text)} is several numbers: one is expected", dimension)
    if unit not in _units(dimension):
        if dimension == "bytes" and unit in _units("bits"):
            raise _bits_for_bytes(text, number, unit)
        suggestion = _suggestion(number, unit, dimension)
        raise QuantityError(
            f"{_shown(unit)} in {_shown(text)} is not a unit of {dimension}", dimension, suggestion
        )
    return *ratio_of(match), unit


def _bits_for_bytes(text: str, number: str, unit: str) -> QuantityError:
    """Return the error for a number of bits where bytes are expected, with both readings."""
    prefix = re.sub(r"b(its?)?$", "", unit)
    written = f"{parse(number, 'ratio', minimum=None) / 8:g} {prefix}B"
    return QuantityError(
        f"{_shown(text)} is in bits: {written} as written", "bytes", f"{number}{prefix}B"
    )


def _suggestion(number: str, unit: str, dimension: str) -> str:
    """Guess the intended unit: another case, a forgotten or superfluous "/s"."""
    table = _units(dimension)
    wanted = (unit, f"{unit}/s", f"{unit}bit/s", unit.removesuffix("/s"), unit.removesuffix("S"))
    found = [name for name in wanted if name and name in table]
    if not found:
        folded = {name.casefold(): name for name in reversed(table)}
        found = [folded[name.casefold()] for name in wanted if name.casefold() in folded]
    if found and f"{unit}B/s" in table:
        return f"{number} {unit}B/s or {number} {unit}bit/s"
    return f"{number} {found[0]}".strip() if found else ""


def other_reading(text: str | float, dimension: str) -> str | None:
    """Return the note for a text of tokens that others read in powers of 1024, or None.

    Raises
    ------
    UsageError
        Where ``parse`` does.

    Examples
    --------
    >>> other_reading("128k", "tokens")
    '128k is read as 128,000 tokens; 128Ki would be 131,072'
    """
    if dimension != "tokens" or not isinstance(text, str):
        return None
    match = re.fullmatch(r"\s*([0-9][0-9_.,]*)\s*([kKM])\s*(?:tokens?)?\s*", text, re.ASCII)
    if match is None:
        return None
    value = parse(text, dimension)
    number, prefix = match[1], f"{match[2].upper()}i"
    try:
        other = parse(f"{number}{prefix}", dimension)
    except UsageError:  # 1.3Ki is no whole number of tokens: nobody means it
        return None
    return f"{number}{match[2]} is read as {value:,} tokens; {number}{prefix} would be {other:,}"
