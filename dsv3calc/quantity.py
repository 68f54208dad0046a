"""Quantities in words: parse what people type and format what people read.

A text is read against an *expected dimension*, so that ``128k`` is 128,000 tokens and not 128
Boltzmann constants, and ``671B`` is 671e9 elements but 671 bytes. All arithmetic is on pairs of
integers: what is written exactly is kept exactly. ``k`` and ``K`` are 1000, ``Ki`` is 1024.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from math import gcd, isfinite

from dsv3calc.errors import UsageError

LONGEST_TEXT = 100  # characters: an answer in milliseconds whatever is pasted
MOST_DIGITS = 40  # significant digits, and the largest decimal exponent either way

_DECIMAL = {"": 1, "k": 10**3, "K": 10**3} | {
    letter: 1000**power for power, letter in enumerate("MGTPEZY", start=2)
}
_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)}
_COUNT_PREFIXES = _DECIMAL | {"B": 10**9} | _BINARY
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
    "usd": ("US dollars", ("2", "$2", "5.5M USD")),
    "usd/h": ("US dollars per hour", ("2", "$2/h", "2 USD/h")),
    "elements": ("elements", ("671B", "7e9")),
    "bits": ("bits", ("8", "8 bit", "1 B")),
}

_NUMBER = re.compile(
    r"(?P<sign>[-+]?)"
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+(?:_[0-9]+)*)?"
    r"(?:\.(?P<part>[0-9]+(?:_[0-9]+)*)?)?"
    r"(?:[eE](?P<exponent>[-+]?[0-9]+))?",
    re.ASCII,
)
_SHOWN = 40  # characters of a text that a message quotes
_PRINTABLE_BITS = 14_000  # Python refuses to print integers of more than 4300 digits
_UNIT_TABLES: dict[str, dict[str, tuple[int, int]]] = {}


class QuantityError(UsageError):
    """A text that is not a quantity of the expected dimension.

    ``what`` is the fault alone, ``valid`` the accepted forms and ``suggestion`` the likely
    intention (or ""); ``message`` and ``hint`` put them together for the command line.
    """

    def __init__(self, what: str, dimension: str, suggestion: str = "") -> None:
        words, examples = DIMENSIONS[dimension]
        self.what = what
        self.valid = f"{', '.join(examples)}, or a plain number ({words})"
        self.suggestion = suggestion
        super().__init__(
            f"{what} (expected {dimension})",
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
    both = _DECIMAL | _BINARY
    byte, bit = ("B", "byte", "bytes"), ("b", "bit", "bits")
    if dimension == "bytes":
        return _prefixed(both, "", *byte) | _prefixed(both, *bit, per=8)
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
    if dimension == "flop":
        return _prefixed(_DECIMAL, "", "FLOP", "FLOPs", "flop")
    if dimension == "flop/s":
        names = ("", "FLOP/s", "FLOPs/s", "FLOPS", "FLOPs", "flop/s", "flops/s", "flops")
        return _prefixed(_DECIMAL, *names)
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


def decimal_ratio(value: float) -> tuple[int, int]:
    """Return the integers (numerator, denominator) of the decimal that a float is written as.

    0.1 gives (1, 10): a float stands for the number its author wrote, not for its binary value.

    Raises
    ------
    ValueError
        For NaN and the infinities.
    """
    match = _NUMBER.fullmatch(repr(float(value)))
    if match is None:
        raise ValueError(f"{value!r} is not a number")
    numerator, denominator = _ratio(match)
    common = gcd(numerator, denominator)
    return numerator // common, denominator // common


def _ratio(match: re.Match[str]) -> tuple[int, int]:
    whole = (match["whole"] or "").replace("_", "").replace(",", "")
    part = (match["part"] or "").replace("_", "")
    power = int(match["exponent"] or 0) - len(part)
    numerator = int(whole + part) * (-1 if match["sign"] == "-" else 1)
    return (numerator * 10**power, 1) if power >= 0 else (numerator, 10**-power)


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
    if rest and dimension == "bytes" and any(unit.startswith(prefix) for prefix in _BINARY):
        numerator, denominator, rest = (2 * numerator + denominator) // (2 * denominator), 1, 0
    if rest and dimension in _WHOLE:
        raise QuantityError(f"{_shown(text)} is not a whole number of {dimension}", dimension)
    if not rest:
        numerator, denominator = numerator // denominator, 1
    value = numerator if denominator == 1 else numerator / denominator
    if minimum is not None and value < minimum:
        raise QuantityError(f"{_shown(text)} is less than {minimum}", dimension)
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
    match = _NUMBER.match(body)
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
    if unit not in _units(dimension):
        suggestion = _suggestion(number, unit, dimension)
        raise QuantityError(
            f"{_shown(unit)} in {_shown(text)} is not a unit of {dimension}", dimension, suggestion
        )
    return *_ratio(match), unit


def _suggestion(number: str, unit: str, dimension: str) -> str:
    """Guess the unit meant: another case, a forgotten or superfluous "/s"."""
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


_Ladder = tuple[tuple[int, int, str], ...]  # numerator, denominator, prefix or unit: ascending


def _ladder(prefixes: dict[str, int]) -> _Ladder:
    return tuple((size, 1, prefix) for prefix, size in prefixes.items())


_BINARY_LADDER = _ladder({"": 1} | {p: s for p, s in _BINARY.items() if p != "Ei"})
_DECIMAL_LADDER = _ladder({p: s for p, s in _DECIMAL.items() if p != "k"})
_COUNT_LADDER = _ladder({"": 1, "M": 10**6, "B": 10**9, "T": 10**12})
_TIME_LADDER = tuple(
    (*size, name)
    for name, size in {
        "ns": (1, 10**9),
        "\N{MICRO SIGN}s": (1, 10**6),
        "ms": (1, 1000),
        "s": (1, 1),
        "h": (3600, 1),
    }.items()
)
_PLAIN = ((1, 1, ""),)
_COUNTED = frozenset({"1", "tokens", "elements"})
_UNITLESS = frozenset({"1", "ratio", ""})


def format_quantity(value: float, unit: str, *, exact: bool = False) -> str:
    """Return a value in base units as people read it.

    One rule of digits: four significant ones, five for what is counted (``1``, ``tokens``,
    ``elements``: parameters are quoted as 671.03 B), cents for money. A rounded value always
    shows a decimal point and its trailing zeros; a value without them is exact. So 1 GiB is exact
    and 1.000 GiB is not.

    Parameters
    ----------
    value : int or float or Fraction
        In base units, of any size.
    unit : str
        The unit of a ledger line: ``B`` shows in KiB, MiB, GiB …; ``B/s``, ``FLOP`` and
        ``FLOP/s`` in decimal prefixes; ``s`` from ns to h; ``1``, ``tokens``, ``elements`` in
        M, B, T from a million on; other units, and ``ratio``, as they are.
    exact : bool, optional
        Unrounded: integers with thousands separators, floats as ``repr``.

    Returns
    -------
    str

    Examples
    --------
    >>> format_quantity(71956, "B"), format_quantity(249_800_000_001, "FLOP")
    ('70.27 KiB', '249.8 GFLOP')
    >>> format_quantity(671_026_419_200, "1"), format_quantity(400e9 / 8, "B/s")
    ('671.03 B', '50 GB/s')
    """
    suffix = "" if unit in _UNITLESS else unit
    if isinstance(value, float):
        if not isfinite(value):
            return f"{value} {suffix}".rstrip()
        numerator, denominator = decimal_ratio(value)
    else:
        numerator, denominator = int(value.numerator), int(value.denominator)
    if exact and abs(numerator).bit_length() < _PRINTABLE_BITS:
        if isinstance(value, float):
            return f"{float(value)!r} {suffix}".rstrip()
        text = f"{numerator:,}" if denominator == 1 else f"{numerator}/{denominator}"
        return f"{text} {suffix}".rstrip()
    sign = "-" if numerator < 0 else ""
    numerator = abs(numerator)
    if unit.startswith("USD") and numerator < 10**6 * denominator:
        decimals = 2 if numerator >= denominator else None
        text, _ = _digits(numerator, denominator, 4, decimals)
        return f"{sign}{text} {suffix}"
    text, step = _climb(numerator, denominator, unit)
    if unit == "s":
        return f"{sign}{text} {step or 's'}"
    joint = " " if unit in _COUNTED or unit.startswith(("USD", "tokens/")) else ""
    return f"{sign}{text} {step}{joint}{suffix}".replace("  ", " ").rstrip()


def _ladder_of(unit: str) -> _Ladder:
    base, _, per = unit.partition("/")
    if base == "B" and per != "s":
        return _BINARY_LADDER
    if base in ("B", "FLOP") and per != "B":
        return _DECIMAL_LADDER
    if base in _COUNTED or base == "USD":
        return _COUNT_LADDER
    return _TIME_LADDER if unit == "s" else _PLAIN


def _climb(numerator: int, denominator: int, unit: str) -> tuple[str, str]:
    """Return the digits and the prefix (for time, the unit) that shows the value best."""
    ladder = _ladder_of(unit)
    if numerator == 0:
        return "0", ""
    significant = 5 if unit in _COUNTED else 4
    step = 0
    while step + 1 < len(ladder) and numerator * ladder[step + 1][1] >= (
        denominator * ladder[step + 1][0]
    ):
        step += 1
    size, per, name = ladder[step]
    scaled, scale = numerator * per, denominator * size
    largest = 10**15 if ladder in (_PLAIN, _TIME_LADDER) else 10**6
    if scaled * 10**4 < scale or scaled >= largest * scale:  # beyond what the prefixes cover
        return _scientific(numerator, denominator, significant), ""
    text, rounded = _digits(scaled, scale, significant)
    if step + 1 < len(ladder):
        next_size, next_per, next_name = ladder[step + 1]
        # 1023.99 MiB would round to 1024.0 MiB: that is 1.000 GiB
        if rounded[0] * size * next_per >= rounded[1] * per * next_size:
            text, _ = _digits(numerator * next_per, denominator * next_size, significant, up=True)
            name = next_name
    return text, name


def _exponent(numerator: int, denominator: int) -> int:
    """Return floor(log10(numerator / denominator)) of a positive ratio, exactly."""
    guess = (numerator.bit_length() - denominator.bit_length()) * 30103 // 100000
    while numerator * 10 ** max(-guess, 0) < denominator * 10 ** max(guess, 0):
        guess -= 1
    while numerator * 10 ** max(-guess - 1, 0) >= denominator * 10 ** max(guess + 1, 0):
        guess += 1
    return guess


def _divide(numerator: int, denominator: int) -> int:
    """Return the nearest integer, halves to even."""
    quotient, rest = divmod(2 * numerator + denominator, 2 * denominator)
    return quotient - (1 if rest == 0 and quotient % 2 else 0)


def _digits(
    numerator: int,
    denominator: int,
    significant: int,
    decimals: int | None = None,
    *,
    up: bool = False,
) -> tuple[str, tuple[int, int]]:
    """Return a positive ratio with so many significant digits, and what was written as a ratio."""
    if decimals is None:
        exponent = 0 if up or numerator == 0 else _exponent(numerator, denominator)
        decimals = max(significant - 1 - exponent, 1)
    power = 10**decimals
    rounded = _divide(numerator * power, denominator)
    whole, part = divmod(rounded, power)
    text = f"{whole:,}.{part:0{decimals}}"
    if rounded * denominator == numerator * power:
        text = text.rstrip("0").rstrip(".")
    return text, (rounded, power)


def _scientific(numerator: int, denominator: int, significant: int) -> str:
    exponent = _exponent(numerator, denominator)
    up, down = 10 ** max(-exponent, 0), 10 ** max(exponent, 0)
    text, (rounded, power) = _digits(numerator * up, denominator * down, significant)
    if rounded >= 10 * power:
        text, exponent = f"1.{'0' * (significant - 1)}", exponent + 1
    return f"{text}e{exponent:+03d}"
