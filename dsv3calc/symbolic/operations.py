"""The operations of terms, and all that is known of each: one row, read by everything else."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.numbers import ops
from dsv3calc.symbolic import derivative, in_sympy
from dsv3calc.symbolic.term import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dsv3calc.symbolic.derivative import Slope

SUM, PRODUCT, SIGN, POWER, ATOM = range(5)
"""How tightly operations bind."""


class Form(msgspec.Struct, frozen=True):
    """How an operation is written; ``{}`` stands for the operands.

    One that is ``enclosed`` leaves nothing open on either side (a fraction, a call): neither it nor
    its operands need parentheses.
    """

    text: str
    enclosed: bool = False


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an operation."""

    value: Callable[..., Any]
    """What it computes from numbers, arrays or symbols."""

    python: Form
    unicode: Form
    latex: Form
    code: str = ""
    """What Python runs, where that is not what is printed."""

    binding: int = ATOM
    brackets: bool = False
    """Its own brackets hold a quotient."""

    strict: bool = False
    """Its last operand needs parentheses where it binds as tightly: a - (b + c)."""

    sympy: Callable[..., Any] | None = None
    """The sympy expression of its name and operands; without one ``value`` gives it."""

    sympy_name: str = ""
    """What sympy calls it."""

    senses: tuple[int | None, ...]
    """Whether it rises (1) or falls (-1) with each operand; None where that is not sure."""

    senses_from_zero: bool = False
    """The senses hold where no operand is negative."""

    sign: Callable[[Iterable[bool]], bool] = all
    """Whether it is surely not negative, from whether its operands are."""

    exact: Callable[..., Any]
    """Its value of exact numbers, exactly."""

    slope: Slope
    """Its derivative, from the exact values of the operands and their derivatives."""


def _always(_: Iterable[bool]) -> bool:
    return True


def _never(_: Iterable[bool]) -> bool:
    return False


def _infix(python: str, unicode: str = "", latex: str = "") -> dict[str, Any]:
    return {
        "python": Form(python),
        "unicode": Form(unicode or python),
        "latex": Form(latex or python),
    }


def _call(python: str, unicode: str, latex: str) -> dict[str, Any]:
    return {
        "python": Form(python, enclosed=True),
        "unicode": Form(unicode, enclosed=True),
        "latex": Form(latex, enclosed=True),
    }


def _comparison(value: Callable[..., Any], *forms: str) -> Operation:
    return Operation(
        value=value,
        **_infix(*forms),
        binding=SUM,
        sympy=in_sympy.comparison,
        senses=(None, None),
        sign=_always,
        exact=value,
        slope=derivative.comparison_slope,
    )


def _extreme(
    value: Callable[..., Any], short: str, sign: Callable[[Iterable[bool]], bool], slope: Slope
) -> Operation:
    return Operation(
        value=value,
        **_call(f"{value.__name__}({{}}, {{}})", f"{short}({{}}, {{}})", f"\\{short}({{}}, {{}})"),
        sympy=in_sympy.extreme,
        sympy_name=short.capitalize(),
        senses=(1, 1),
        sign=sign,
        exact=value,
        slope=slope,
    )


def _rounded(value: Callable[..., Any], unicode: str, sympy_name: str) -> Operation:
    latex = {"floor": r"\lfloor {} / {} \rfloor", "ceiling": r"\lceil {} / {} \rceil"}
    return Operation(
        value=value,
        python=Form(f"{value.__name__}({{}}, {{}})", enclosed=True),
        unicode=Form(unicode),
        latex=Form(latex[sympy_name]),
        binding=PRODUCT,
        brackets=True,
        strict=True,
        sympy=in_sympy.rounded,
        sympy_name=sympy_name,
        senses=(1, -1),
        senses_from_zero=True,
        exact=value,
        slope=derivative.step_slope,
    )


def _add(a: Any, b: Any) -> Any:
    return a + b


def _subtract(a: Any, b: Any) -> Any:
    return a - b


def _multiply(a: Any, b: Any) -> Any:
    return a * b


def _negate(a: Any) -> Any:
    return -a


OPERATIONS: dict[str, Operation] = {
    "+": Operation(
        value=_add,
        **_infix("{} + {}"),
        binding=SUM,
        senses=(1, 1),
        exact=_add,
        slope=lambda _, s: s[0] + s[1],
    ),
    "-": Operation(
        value=_subtract,
        **_infix("{} - {}", "{} \N{MINUS SIGN} {}"),
        binding=SUM,
        strict=True,
        senses=(1, -1),
        sign=_never,
        exact=_subtract,
        slope=lambda _, s: s[0] - s[1],
    ),
    "neg": Operation(
        value=_negate,
        **_infix("-{}", "\N{MINUS SIGN}{}"),
        binding=SIGN,
        strict=True,
        senses=(-1,),
        sign=_never,
        exact=_negate,
        slope=lambda _, s: -s[0],
    ),
    "*": Operation(
        value=_multiply,
        **_infix("{} * {}", "{}·{}", "{} {}"),
        binding=PRODUCT,
        senses=(1, 1),
        senses_from_zero=True,
        exact=_multiply,
        slope=derivative.product_slope,
    ),
    "/": Operation(
        value=ops.ratio,
        python=Form("{} / {}"),
        unicode=Form("{} / {}"),
        latex=Form(r"\frac{{{}}}{{{}}}", enclosed=True),
        code="ratio({}, {})",
        binding=PRODUCT,
        strict=True,
        senses=(1, -1),
        senses_from_zero=True,
        exact=derivative.quotient,
        slope=derivative.quotient_slope,
    ),
    "**": Operation(
        value=lambda a, b: a**b,
        **_infix("{} ** {}"),
        binding=POWER,
        sympy=in_sympy.power,
        sympy_name="power",
        senses=(1, None),
        senses_from_zero=True,
        exact=derivative.power,
        slope=derivative.power_slope,
    ),
    "<": _comparison(lambda a, b: a < b, "{} < {}"),
    "<=": _comparison(lambda a, b: a <= b, "{} <= {}", "{} ≤ {}", r"{} \le {}"),
    ">": _comparison(lambda a, b: a > b, "{} > {}"),
    ">=": _comparison(lambda a, b: a >= b, "{} >= {}", "{} ≥ {}", r"{} \ge {}"),
    "maximum": _extreme(ops.maximum, "max", any, derivative.maximum_slope),
    "minimum": _extreme(ops.minimum, "min", all, derivative.minimum_slope),
    "floor_div": _rounded(ops.floor_div, "⌊{} / {}⌋", "floor"),
    "ceil_div": _rounded(ops.ceil_div, "⌈{} / {}⌉", "ceiling"),
    "where": Operation(
        value=ops.where,
        **_call(
            "where({}, {}, {})",
            "({1} if {0}, else {2})",
            r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{else}} \end{{cases}}",
        ),
        sympy=in_sympy.where,
        senses=(None, None, None),
        exact=ops.where,
        slope=lambda v, s: s[1 if v[0] else 2],
    ),
    "binomial": Operation(
        value=ops.binomial,
        **_call("binomial({}, {})", "C({}, {})", r"\binom{{{}}}{{{}}}"),
        sympy=in_sympy.binomial,
        senses=(None, None),
        sign=_always,
        exact=derivative.of_floats(ops.binomial),
        slope=derivative.step_slope,
    ),
}
"""Operation of a term -> what is known of it."""


def evaluate(term: Any, values: Mapping[str, Any]) -> Any:
    """Compute a recorded term, exactly as the formula does.

    >>> from dsv3calc.formulas.kv_cache import paged_tokens
    >>> from dsv3calc.symbolic.term import record
    >>> evaluate(record(paged_tokens)[0], {"tokens": 1000, "page_size": 64})
    1024
    """
    return fold(term, values.__getitem__, lambda name, parts: OPERATIONS[name].value(*parts))
