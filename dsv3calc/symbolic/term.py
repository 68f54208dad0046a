"""A formula's arithmetic as it is written, recorded by running it.

Sympy reorders and simplifies; a reader looks for the line that stands in the source. So a formula
is run once on terms that note what is done to them. Nothing is imported for it, which is what
``explain`` needs; ``printer`` writes terms down, ``equations_of_formula`` has sympy.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

from dsv3calc.numbers import ops

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType


class Term:
    """A name, or an operation on terms and numbers."""

    __slots__ = ("name", "operation", "parts")

    def __init__(self, operation: str, *parts: Any, name: str = "") -> None:
        self.operation = operation
        self.parts = parts
        self.name = name

    def __repr__(self) -> str:
        return f"<term {self.name or self.operation}>"

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
        raise TypeError("a formula may not branch on a value: use dsv3calc.numbers.ops.where")


def _recording(name: str) -> Callable[..., Any]:
    helper = getattr(ops, name)
    noted = _NOTED.get(name) or (lambda *arguments: Term(name, *arguments))

    def record_helper(*arguments: Any) -> Any:
        for argument in arguments:  # written out: it is asked a million times
            if type(argument) is Term:
                return noted(*arguments)
        return helper(*arguments)

    return record_helper


_NOTED: dict[str, Callable[..., Term]] = {
    "clip": lambda value, low, high: Term("minimum", Term("maximum", value, low), high),
    "binomial_ratio": lambda part, n, k: Term(
        "/", Term("binomial", part, k), Term("binomial", n, k)
    ),
    "ratio": lambda a, b: Term("/", a, b),
    "exact_div": lambda a, b: Term("/", a, b),
}
"""Helper of ops that is noted as other operations."""

_HELPERS = {
    getattr(ops, name): _recording(name)
    for name in (
        "maximum", "minimum", "clip", "floor_div", "ceil_div", "exact_div", "ratio", "where",
        "binomial", "binomial_ratio",
    )
}  # fmt: skip
_FORMULAS = "dsv3calc.formulas."


def applied(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a formula's function computes from terms and numbers: a term, or a number.

    Examples
    --------
    >>> from dsv3calc.formulas.kv_cache import paged_tokens
    >>> applied(paged_tokens, Term("name", name="tokens"), 64)
    <term *>
    """
    if not any(isinstance(argument, Term) for argument in arguments):
        return function(*arguments)
    assert isinstance(function, FunctionType)  # noqa: S101 - formulas are plain functions
    return _recorder(function)(*arguments)


@cache
def _recorder(function: FunctionType) -> FunctionType:
    """Return the same code with helpers that note what they are asked, in what it calls too."""
    known = function.__globals__
    namespace = dict(known)
    for name in function.__code__.co_names:
        value = known.get(name)
        if isinstance(value, FunctionType):
            if value in _HELPERS:
                namespace[name] = _HELPERS[value]
            elif value.__module__.startswith(_FORMULAS):
                namespace[name] = _recorder(value)
    return FunctionType(function.__code__, namespace, function.__name__, function.__defaults__)


def record(function: Callable[..., Any]) -> tuple[Any, dict[str, Term]]:
    """Return what a formula's function computes from its arguments, and its named steps.

    The steps are its local variables, in the order of assignment; those of formulas that it calls
    are not among them.

    Examples
    --------
    >>> from dsv3calc.formulas.kv_cache import paged_tokens
    >>> evaluate(record(paged_tokens)[0], {"tokens": 1000, "page_size": 64})
    1024
    """
    assert isinstance(function, FunctionType)  # noqa: S101 - formulas are plain functions
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    steps: dict[str, Term] = {}

    # coverage does not see what runs as the profiler
    def note_steps(frame: FrameType, event: str, _: object) -> None:  # pragma: no cover
        if event == "return" and frame.f_code is code:
            values = frame.f_locals
            for name in code.co_varnames[code.co_argcount :]:
                value = values.get(name)
                if isinstance(value, Term) and value.operation != "name":
                    steps[name] = value

    before = sys.getprofile()
    sys.setprofile(note_steps)
    try:
        result = _recorder(function)(*(Term("name", name=name) for name in names))
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
    return OPERATIONS[term.operation](*parts)


OPERATIONS: dict[str, Callable[..., Any]] = {
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
    "binomial": ops.binomial,
}
"""Operation of a term -> what it does."""
