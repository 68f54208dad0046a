"""The operations of terms: one row with everything about each."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.numbers import ops
from dsv3calc.symbolic import in_sympy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

SUM, PRODUCT, SIGN, POWER, ATOM = range(5)
"""How tightly operations bind."""


class Operation(msgspec.Struct, frozen=True):
    """Everything about an operation. In its forms ``{}`` are the operands."""

    value: Callable[..., Any]
    """What it computes from numbers, arrays or symbols."""

    python: str
    unicode: str
    latex: str

    senses: tuple[int | None, ...]
    """Whether it rises (1) or falls (-1) with each operand; None where neither is certain."""

    senses_from_zero: bool = False
    """The senses hold where no operand is negative."""

    sign: Callable[[Iterable[bool]], bool] = all
    """Whether it is known not to be negative, from whether its operands are."""

    sympy: Callable[..., Any] | None = None
    """The sympy expression of its name and operands; without one ``value`` gives it."""

    sympy_name: str = ""
    """What sympy calls it."""

    code: str = ""
    """What Python runs, where that is not what is printed."""

    enclosed: Collection[str] = ()
    """Forms that leave nothing open on either side (a fraction, a call).

    Neither such a form nor its operands need parentheses.
    """

    binding: int = ATOM
    """How tightly it binds where its form is not enclosed."""

    strict: bool = False
    """Its last operand needs parentheses where it binds as tightly: a - (b + c)."""

    brackets: bool = False
    """Its own brackets hold a quotient."""


_CALL: Any = {"enclosed": ("python", "unicode", "latex")}
_EXTREME: Any = {**_CALL, "senses": (1, 1), "sympy": in_sympy.extreme}
_COMPARISON: Any = {
    "senses": (None, None), "sign": lambda _: True, "sympy": in_sympy.comparison, "binding": SUM,
}  # fmt: skip
_QUOTIENT: Any = {
    "senses": (1, -1), "senses_from_zero": True, "binding": PRODUCT, "strict": True,
}  # fmt: skip
_ROUNDED: Any = {
    **_QUOTIENT, "sympy": in_sympy.rounded, "enclosed": ("python",), "brackets": True,
}  # fmt: skip

OPERATIONS = {
    "+": Operation(
        operator.add, "{} + {}", "{} + {}", "{} + {}", senses=(1, 1), binding=SUM,
    ),
    "-": Operation(
        operator.sub, "{} - {}", "{} \N{MINUS SIGN} {}", "{} - {}",
        senses=(1, -1), sign=lambda _: False, binding=SUM, strict=True,
    ),
    "neg": Operation(
        operator.neg, "-{}", "\N{MINUS SIGN}{}", "-{}",
        senses=(-1,), sign=lambda _: False, binding=SIGN, strict=True,
    ),
    "*": Operation(
        operator.mul, "{} * {}", "{}·{}", "{} {}",
        senses=(1, 1), senses_from_zero=True, binding=PRODUCT,
    ),
    "/": Operation(
        ops.ratio, "{} / {}", "{} / {}", r"\frac{{{}}}{{{}}}", **_QUOTIENT,
        code="ratio({}, {})", enclosed=("latex",),
    ),
    "**": Operation(
        operator.pow, "{} ** {}", "{}^{}", "{}^{}",
        senses=(1, None), senses_from_zero=True, binding=POWER,
        sympy=in_sympy.power, sympy_name="power",
    ),
    "<": Operation(operator.lt, "{} < {}", "{} < {}", "{} < {}", **_COMPARISON),
    "<=": Operation(operator.le, "{} <= {}", "{} ≤ {}", r"{} \le {}", **_COMPARISON),
    ">": Operation(operator.gt, "{} > {}", "{} > {}", "{} > {}", **_COMPARISON),
    ">=": Operation(operator.ge, "{} >= {}", "{} ≥ {}", r"{} \ge {}", **_COMPARISON),
    "maximum": Operation(
        ops.maximum, "maximum({}, {})", "max({}, {})", r"\max({}, {})", **_EXTREME,
        sign=any, sympy_name="Max",
    ),
    "minimum": Operation(
        ops.minimum, "minimum({}, {})", "min({}, {})", r"\min({}, {})", **_EXTREME,
        sympy_name="Min",
    ),
    "floor_div": Operation(
        ops.floor_div, "floor_div({}, {})", "⌊{} / {}⌋", r"\lfloor {} / {} \rfloor", **_ROUNDED,
        sympy_name="floor",
    ),
    "ceil_div": Operation(
        ops.ceil_div, "ceil_div({}, {})", "⌈{} / {}⌉", r"\lceil {} / {} \rceil", **_ROUNDED,
        sympy_name="ceiling",
    ),
    "where": Operation(
        ops.where, "where({}, {}, {})", "({1} if {0}, else {2})",
        r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{else}} \end{{cases}}", **_CALL,
        senses=(None, None, None), sympy=in_sympy.where,
    ),
    "binomial": Operation(
        ops.binomial, "binomial({}, {})", "C({}, {})", r"\binom{{{}}}{{{}}}", **_CALL,
        senses=(None, None), sign=lambda _: True, sympy=in_sympy.binomial,
    ),
}  # fmt: skip
"""Operation of a term -> its row."""
