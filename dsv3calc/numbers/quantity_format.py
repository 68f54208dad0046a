"""Quantities as people read them: a few digits, a prefix and a unit.

All arithmetic is on pairs of integers.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache
from math import isfinite

from dsv3calc.numbers.decimals import BINARY, DECIMAL, decimal_ratio

_PRINTABLE_BITS = 14_000  # Python refuses to print integers of more than 4300 digits

_Ladder = tuple[tuple[int, int, str], ...]  # numerator, denominator, prefix or unit: ascending


def _ladder(prefixes: dict[str, int]) -> _Ladder:
    return tuple((size, 1, prefix) for prefix, size in prefixes.items())


_BINARY_LADDER = _ladder({"": 1} | {p: s for p, s in BINARY.items() if p != "Ei"})
_DECIMAL_LADDER = _ladder({p: s for p, s in DECIMAL.items() if p != "k"})
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
_ENERGY_LADDER = _ladder({"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12})
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
        The unit of a ledger line: ``B`` shows in KiB, MiB, GiB …; ``B/s``, ``FLOP``, ``FLOP/s``,
        ``J`` and ``Wh`` in decimal prefixes; ``s`` from ns to h; ``1``, ``tokens``, ``elements`` in
        M, B, T from a million on; other units, and ``ratio``, as they are.
    exact : bool, optional
        Unrounded: every digit that the number has, with thousands separators.

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
            text = f"{float(value):,}".removesuffix(".0")
            return f"{text} {suffix}".rstrip()
        text = f"{numerator:,}" if denominator == 1 else f"{numerator:,}/{denominator:,}"
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


def prefix_base(unit: str) -> int:
    """Return what a prefix of this unit is a power of: 1,024 for bytes, 1,000 elsewhere.

    Examples
    --------
    >>> prefix_base("B"), prefix_base("B/s")
    (1024, 1000)
    """
    return 1024 if _ladder_of(unit) is _BINARY_LADDER else 1000


@cache
def _ladder_of(unit: str) -> _Ladder:
    base, _, per = unit.partition("/")
    if base == "B" and per != "s":
        return _BINARY_LADDER
    if base in ("B", "FLOP") and per != "B":
        return _DECIMAL_LADDER
    if base in ("J", "Wh"):
        return _ENERGY_LADDER
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
