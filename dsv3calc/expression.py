"""A formula's arithmetic as it is written: recorded by running it, shown in several notations.

Sympy reorders and simplifies; a reader looks for the line that stands in the source. So a formula
is run once on terms that note what is done to them. Nothing is imported for it, which is what
``explain`` needs; the algebra of sympy is in :mod:`dsv3calc.tracing`.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any

from dsv3calc import ops

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)  # how tightly an operation binds
_BINDING = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "neg": _SIGN, "**": _POWER}


class Term:
    """A name, or an operation on terms and numbers."""

    __slots__ = ("name", "operation", "parts")

    def __init__(self, operation: str, *parts: Any, name: str = "") -> None:
        self.operation = operation
        self.parts = parts
        self.name = name

    def __repr__(self) -> str:
        return render(self, PYTHON)

    def __add__(self, other: Any) -> Term:
        return Term("+", self, other)

    def __radd__(self, other: Any) -> Term:
        return Term("+", other, self)

    def __sub__(self, other: Any) -> Term:
        return Term("-", self, other)

    def __rsub__(self, other: Any) -> Term:
        return Term("-", other, self)

    def __mul__(self, other: Any) -> Term:
        return Term("*", self, other)

    def __rmul__(self, other: Any) -> Term:
        return Term("*", other, self)

    def __truediv__(self, other: Any) -> Term:
        return Term("/", self, other)

    def __rtruediv__(self, other: Any) -> Term:
        return Term("/", other, self)

    def __pow__(self, other: Any) -> Term:
        return Term("**", self, other)

    def __rpow__(self, other: Any) -> Term:
        return Term("**", other, self)

    def __neg__(self) -> Term:
        return Term("neg", self)

    def __floordiv__(self, other: Any) -> Term:
        return Term("floor_div", self, other)

    def __lt__(self, other: Any) -> Term:
        return Term("<", self, other)

    def __le__(self, other: Any) -> Term:
        return Term("<=", self, other)

    def __gt__(self, other: Any) -> Term:
        return Term(">", self, other)

    def __ge__(self, other: Any) -> Term:
        return Term(">=", self, other)

    def __bool__(self) -> bool:
        """Refuse to be a condition: a formula that branches has no closed form.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("a formula may not branch on a value: use dsv3calc.ops.where")


def _recording(name: str) -> Callable[..., Any]:
    helper = getattr(ops, name)

    def record_helper(*arguments: Any) -> Any:
        if not any(isinstance(argument, Term) for argument in arguments):
            return helper(*arguments)
        if name == "clip":
            value, low, high = arguments
            return Term("minimum", Term("maximum", value, low), high)
        return Term("/" if name in ("ratio", "exact_div") else name, *arguments)

    return record_helper


_HELPERS = {
    name: _recording(name)
    for name in (
        "maximum", "minimum", "clip", "floor_div", "ceil_div", "exact_div", "ratio", "where",
    )
}  # fmt: skip


def record(function: Callable[..., Any]) -> tuple[Any, dict[str, Term]]:
    """Return what a formula's function computes from its arguments, and its named steps.

    Examples
    --------
    >>> from dsv3calc.formulas.kv_cache import paged_tokens
    >>> record(paged_tokens)[0]
    ceil_div(tokens, page_size) * page_size
    """
    assert isinstance(function, FunctionType)  # noqa: S101 - formulas are plain functions
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    # the same code, with helpers that note what they are asked
    recorder = FunctionType(code, {**function.__globals__, **_HELPERS})
    steps: dict[str, Term] = {}

    def note_steps(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code is code:
            values = {name: frame.f_locals.get(name) for name in code.co_varnames}
            for name in code.co_varnames[code.co_argcount :]:
                value = values[name]
                if isinstance(value, Term) and value.operation != "name":
                    steps[name] = value

    before = sys.getprofile()
    sys.setprofile(note_steps)
    try:
        result = recorder(*(Term("name", name=name) for name in names))
    finally:
        sys.setprofile(before)
    return result, steps


def evaluate(term: Any, values: Mapping[str, Any]) -> Any:
    """Compute a recorded term, exactly as the formula does."""
    if not isinstance(term, Term):
        return term
    if term.operation == "name":
        return values[term.name]
    parts = [evaluate(part, values) for part in term.parts]
    return _OPERATIONS[term.operation](*parts)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": ops.ratio,
    "**": lambda a, b: a**b,
    "neg": lambda a: -a,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
    "floor_div": ops.floor_div,
    "ceil_div": ops.ceil_div,
    "where": ops.where,
}


class Notation:
    """How operations are written; ``{}`` stands for the operands.

    ``enclosed`` lists operations whose notation leaves nothing open on either side (a fraction, a
    call), so that neither they nor their operands need parentheses.
    """

    def __init__(self, forms: dict[str, str], enclosed: str, power: Callable[[str], str]) -> None:
        self.forms = forms
        self.enclosed = frozenset(enclosed.split())
        self.power = power


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_CALLS = "maximum minimum floor_div ceil_div where"
_COMPARISONS = {operation: f"{{}} {operation} {{}}" for operation in ("<", "<=", ">", ">=")}

PYTHON = Notation(
    {
        "+": "{} + {}", "-": "{} - {}", "*": "{} * {}", "/": "{} / {}", "neg": "-{}",
        "maximum": "maximum({}, {})", "minimum": "minimum({}, {})",
        "floor_div": "floor_div({}, {})", "ceil_div": "ceil_div({}, {})",
        "where": "where({}, {}, {})", **_COMPARISONS,
    },
    _CALLS,
    lambda exponent: f"**{exponent}",
)  # fmt: skip
"""What Python evaluates, given the helpers of ``ops`` (and ``/`` for ``ratio``)."""

UNICODE = Notation(
    {
        "+": "{} + {}", "-": "{} \N{MINUS SIGN} {}", "*": "{}·{}", "/": "{} / {}",
        "neg": "\N{MINUS SIGN}{}", "maximum": "max({}, {})", "minimum": "min({}, {})",
        "floor_div": "⌊{} / {}⌋", "ceil_div": "⌈{} / {}⌉", "where": "({1} if {0}, else {2})",
        "<": "{} < {}", "<=": "{} ≤ {}", ">": "{} > {}", ">=": "{} ≥ {}",
    },
    "maximum minimum where",
    lambda exponent: (
        exponent.translate(_SUPERSCRIPTS) if exponent.isdecimal() else f"^{exponent}"
    ),
)  # fmt: skip
"""One line of text for a terminal."""

LATEX = Notation(
    {
        "+": "{} + {}", "-": "{} - {}", "*": "{} {}", "/": r"\frac{{{}}}{{{}}}", "neg": "-{}",
        "maximum": r"\max({}, {})", "minimum": r"\min({}, {})",
        "floor_div": r"\left\lfloor \frac{{{}}}{{{}}} \right\rfloor",
        "ceil_div": r"\left\lceil \frac{{{}}}{{{}}} \right\rceil",
        "where": r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{else}} \end{{cases}}",
        "<": "{} < {}", "<=": r"{} \le {}", ">": "{} > {}", ">=": r"{} \ge {}",
    },
    f"{_CALLS} /",
    lambda exponent: f"^{{{exponent}}}",
)  # fmt: skip
"""LaTeX, as on paper: products side by side, quotients as fractions."""


def render(
    term: Any,
    notation: Notation,
    shown: Callable[[str], str] = str,
    steps: Mapping[int, str] | None = None,
) -> str:
    """Write a term down.

    Parameters
    ----------
    term
        A recorded term, or a number.
    notation
        ``PYTHON``, ``UNICODE`` or ``LATEX``.
    shown
        How a name is shown: its symbol, or the number put in for it.
    steps
        ``id`` of a term -> the name that stands for it.
    """
    return _render(term, notation, shown, steps or {})[0]


def _render(
    term: Any, notation: Notation, shown: Callable[[str], str], steps: Mapping[int, str]
) -> tuple[str, int]:
    """Return the text and how tightly it binds."""
    if not isinstance(term, Term):
        return str(term), _ATOM
    name = term.name or steps.get(id(term), "")
    if name:
        text = shown(name)
        return text, _SIGN if text.startswith("-") else _ATOM
    operation = term.operation
    parts = [_render(part, notation, shown, steps) for part in term.parts]
    if operation == "**":
        (base, base_binding), (exponent, exponent_binding) = parts
        if notation is not LATEX:
            exponent = _parenthesised(exponent, exponent_binding < _ATOM, notation)
        base = _parenthesised(base, base_binding < _ATOM, notation)
        return base + notation.power(exponent), _POWER
    form = notation.forms[operation]
    if operation in notation.enclosed:
        # a fraction raised to a power or divided needs its parentheses all the same
        return form.format(*(text for text, _ in parts)), _PRODUCT if operation == "/" else _ATOM
    if operation in ("floor_div", "ceil_div"):  # brackets around a quotient
        left, right = parts
        texts = [_parenthesised(left[0], left[1] < _PRODUCT, notation),
                 _parenthesised(right[0], right[1] <= _PRODUCT, notation)]  # fmt: skip
        return form.format(*texts), _ATOM
    binding = _BINDING.get(operation, _SUM)
    texts = []
    for place, (text, inner) in enumerate(parts):
        loose = inner < binding
        if operation in "-/" and place == 1:
            loose = inner <= binding
        elif operation == "*":
            # a·(b / c): without parentheses another number in floats
            loose = loose or (place == 1 and _is_quotient(term.parts[1], steps, notation))
        elif operation == "neg":
            loose = inner <= binding
        texts.append(_parenthesised(text, loose or (place == 1 and text[0] in "-\N{MINUS SIGN}"),
                                    notation))  # fmt: skip
    if operation == "*" and notation is LATEX and texts[1][0].isdigit():
        form = r"{} \cdot {}"
    return form.format(*texts), binding


def _is_quotient(part: Any, steps: Mapping[int, str], notation: Notation) -> bool:
    return (
        isinstance(part, Term)
        and part.operation == "/"
        and id(part) not in steps
        and "/" not in notation.enclosed
    )


def _parenthesised(text: str, loose: bool, notation: Notation) -> str:  # noqa: FBT001
    if not loose:
        return text
    if notation is LATEX and "\\frac" in text:
        return rf"\left( {text} \right)"
    return f"({text})"
