"""A formula's arithmetic as it is written, recorded by running it.

Sympy reorders and simplifies; a reader looks for the line that stands in the source. So a formula
is run once on terms that note what is done to them. Nothing is imported for it, which is what
``explain`` needs; ``printer`` writes terms down, ``operations`` lists what is known of each
operation, and ``algebra`` has sympy.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast
import inspect
from functools import cache, partial
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Term:
    """A name, or an operation on terms and numbers.

    Arithmetic leaves out the integers 0 and 1 where they change nothing. A float is kept: it makes
    the result a float.
    """

    __slots__ = ("name", "operation", "parts")

    __dsv3calc_ops__: Any
    """What ``ops`` computes with where an argument is a term."""

    def __init__(self, operation: str, *parts: Any, name: str = "") -> None:
        self.operation = operation
        self.parts = parts
        self.name = name

    def __repr__(self) -> str:
        return f"<term {self.name or self.operation}>"

    def __add__(self, other: Any) -> Term:
        return self if _is(other, 0) else Term("+", self, other)

    def __radd__(self, other: Any) -> Term:
        return self if _is(other, 0) else Term("+", other, self)

    def __sub__(self, other: Any) -> Term:
        return self if _is(other, 0) else Term("-", self, other)

    def __rsub__(self, other: Any) -> Term:
        return Term("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return self._times(other, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._times(other, other, self)

    def _times(self, other: Any, *parts: Any) -> Any:
        if _is(other, 0):
            return 0
        return self if _is(other, 1) else Term("*", *parts)

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


Term.__dsv3calc_ops__ = SimpleNamespace(
    ratio=partial(Term, "/"),
    exceeds=partial(Term, ">"),
    **{
        name: partial(Term, name)
        for name in ("maximum", "minimum", "floor_div", "ceil_div", "where", "binomial")
    },
)


def _is(value: Any, number: int) -> bool:
    return type(value) is int and value == number


@cache
def record(function: Callable[..., Any]) -> tuple[Any, Mapping[str, Term]]:
    """Return what a formula's function computes from its arguments, and its named steps.

    The steps are its local variables, in the order of assignment; those of formulas that it calls
    are not among them. They are read from the source, whose statements are assignments and a
    ``return``.

    Examples
    --------
    >>> from dsv3calc.formulas.cached_tokens import paged_tokens
    >>> record(paged_tokens)[0]
    <term *>
    """
    assert isinstance(function, FunctionType)  # noqa: S101 - formulas are plain functions
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    values: dict[str, Any] = {name: Term("name", name=name) for name in names}
    if code.co_nlocals == code.co_argcount:
        return function(**values), {}
    result = _run(function, values)
    return result, {
        name: value
        for name, value in values.items()
        if isinstance(value, Term) and value.operation != "name"
    }


def _run(function: FunctionType, values: dict[str, Any]) -> Any:
    """Run a function on the values of its arguments, and add those of its local variables."""
    (definition,) = ast.parse(inspect.getsource(function)).body
    assert isinstance(definition, ast.FunctionDef)  # noqa: S101 - it is the source of a function
    *steps, last = definition.body
    assert isinstance(last, ast.Return)  # noqa: S101 - formulas end so, which a test checks
    assert last.value is not None  # noqa: S101 - as above
    run = compile(ast.Module(steps, []), function.__module__, "exec")
    exec(run, function.__globals__, values)  # noqa: S102 - statements of our own formula
    result = compile(ast.Expression(last.value), function.__module__, "eval")
    return eval(result, function.__globals__, values)  # noqa: S307 - as above


def bottom_up(term: Any) -> Iterator[Term]:
    """Yield a term and the distinct terms in it, each after its parts; of a number nothing."""
    seen: set[int] = set()
    waiting: list[tuple[Any, bool]] = [(term, False)]
    while waiting:
        each, ready = waiting.pop()
        if ready:
            yield each
        elif isinstance(each, Term) and id(each) not in seen:
            seen.add(id(each))
            waiting.append((each, True))
            waiting.extend((part, False) for part in each.parts)


def fold(
    term: Any,
    of_name: Callable[[str], Any],
    of_operation: Callable[[str, list[Any]], Any],
    of_number: Callable[[Any], Any] = lambda number: number,
) -> Any:
    """Return what a term gives where names, operations and numbers are put into other things.

    Each distinct part is put once, after what it is made of.

    Examples
    --------
    >>> term = Term("name", name="tokens") * 2 + 1
    >>> fold(term, str, lambda operation, parts: f"({operation} {' '.join(parts)})", str)
    '(+ (* tokens 2) 1)'
    """
    if not isinstance(term, Term):
        return of_number(term)
    known: dict[int, Any] = {}
    for each in bottom_up(term):
        if each.operation == "name":
            known[id(each)] = of_name(each.name)
            continue
        parts = [
            known[id(part)] if isinstance(part, Term) else of_number(part) for part in each.parts
        ]
        known[id(each)] = of_operation(each.operation, parts)
    return known[id(term)]


def names_in(term: Any) -> set[str]:
    """Return the names that a term has."""
    return {each.name for each in bottom_up(term) if each.operation == "name"}
