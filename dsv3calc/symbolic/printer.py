"""Terms written down: as Python, as a line of text, as LaTeX."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.symbolic.operations import ATOM, OPERATIONS, POWER, PRODUCT, SIGN
from dsv3calc.symbolic.term import Term

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CHAINED = frozenset({"maximum", "minimum"})  # of many as of two
_MINUS = ("-", "\N{MINUS SIGN}")


class Notation:
    """How terms are written: the forms of operations, and powers."""

    def __init__(self, name: str, power: Callable[[str], str]) -> None:
        self.forms: dict[str, str] = {each: getattr(row, name) for each, row in OPERATIONS.items()}
        self.enclosed = {each for each, row in OPERATIONS.items() if name in row.enclosed}
        self.power = power


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

PYTHON = Notation("python", lambda exponent: f"**{exponent}")
"""What Python evaluates, given the helpers of ``ops`` (and ``/`` for ``ratio``)."""

UNICODE = Notation(
    "unicode",
    lambda exponent: exponent.translate(_SUPERSCRIPTS) if exponent.isdecimal() else f"^{exponent}",
)
"""One line of text for a terminal."""

LATEX = Notation(
    "latex", lambda exponent: f"^{exponent}" if len(exponent) == 1 else f"^{{{exponent}}}"
)
"""LaTeX, as on paper: products side by side, quotients as fractions."""


def render(
    term: Any,
    notation: Notation,
    shown: Callable[[str], str] = str,
    steps: Mapping[int, str] | None = None,
    number: Callable[[Any], str] = str,
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
    number
        How a number is shown.

    Examples
    --------
    >>> from dsv3calc.symbolic.term import record
    >>> from dsv3calc.formulas.cached_tokens import paged_tokens
    >>> render(record(paged_tokens)[0], PYTHON)
    'ceil_div(tokens, page_size) * page_size'
    """
    return _Writer(notation, shown, steps or {}, number).write(term)[0]


class _Writer:
    """Texts of terms, each with its binding strength."""

    def __init__(
        self,
        notation: Notation,
        shown: Callable[[str], str],
        steps: Mapping[int, str],
        number: Callable[[Any], str],
    ) -> None:
        self.notation = notation
        self.shown = shown
        self.steps = steps
        self.number = number

    def write(self, term: Any) -> tuple[str, int]:
        if not isinstance(term, Term):
            return self.number(term), ATOM
        name = term.name or self.steps.get(id(term), "")
        if name:
            text = self.shown(name)
            return text, SIGN if text.startswith(_MINUS) else ATOM
        if term.operation == "*":
            return self._product(term), PRODUCT
        if term.operation == "**":
            return self._power(*term.parts), POWER
        if term.operation in self.notation.enclosed:
            # a fraction raised to a power needs its parentheses all the same
            return self._enclosed(term), PRODUCT if term.operation == "/" else ATOM
        return self._operation(term)

    def _operation(self, term: Term) -> tuple[str, int]:
        row = OPERATIONS[term.operation]
        quotient = row.brackets or term.operation == "/"
        texts = []
        for place, part in enumerate(term.parts):
            text, inner = self.write(part)
            last = place == len(term.parts) - 1
            loose = inner < row.binding or (place == 1 and text.startswith(_MINUS))
            loose = loose or (last and inner == row.binding and row.strict)
            loose = loose or (quotient and self._is_quotient(part))
            texts.append(self._in_parentheses(text) if loose else text)
        return self.notation.forms[term.operation].format(
            *texts
        ), ATOM if row.brackets else row.binding

    def _power(self, base: Any, exponent: Any) -> str:
        text, binding = self.write(base)
        above, above_binding = self.write(exponent)
        if binding < ATOM:
            text = self._in_parentheses(text)
        if above_binding < ATOM and self.notation is not LATEX:
            above = self._in_parentheses(above)
        return text + self.notation.power(above)

    def _enclosed(self, term: Term) -> str:
        """Write a call or a fraction; a fraction inside a fraction goes on one line."""
        if term.operation in _CHAINED and self.notation is not PYTHON:
            *others, last = [self.write(part)[0] for part in self._chain(term)]
            return self.notation.forms[term.operation].format(", ".join(others), last)
        texts = []
        for part in term.parts:
            text = self.write(part)[0]
            if term.operation == "/" and self._is_quotient(part):
                inner = [self.write(each) for each in part.parts]
                text = " / ".join(
                    each if binding == ATOM else self._in_parentheses(each)
                    for each, binding in inner
                )
            texts.append(text)
        return self.notation.forms[term.operation].format(*texts)

    def _chain(self, term: Term) -> list[Any]:
        """Return what a maximum is taken over, those of maxima inside it too."""
        found: list[Any] = []
        for part in term.parts:
            inside = isinstance(part, Term) and part.operation == term.operation
            found += self._chain(part) if inside and id(part) not in self.steps else [part]
        return found

    def _product(self, term: Term) -> str:
        """Write the factors in their order, one that is repeated as a power."""
        found: list[tuple[str, int]] = []
        before: Any = None
        fraction = "/" in self.notation.enclosed
        for factor in self._factors(term):
            if factor is before and self.notation is not PYTHON:
                found[-1] = (found[-1][0], found[-1][1] + 1)
                continue
            before = factor
            text, binding = self.write(factor)
            # a / b·c and a·(b / c): readers, and floats, differ
            loose = not fraction and self._is_quotient(factor)
            loose = loose or (bool(found) and text.startswith(_MINUS))
            if loose or binding < PRODUCT:
                text = self._in_parentheses(text)
            found.append((text, 1))
        texts = [
            text + (self.notation.power(str(times)) if times > 1 else "") for text, times in found
        ]
        product = texts[0]
        for text in texts[1:]:
            digits = self.notation is LATEX and text[0].isdigit()
            product = (r"{} \cdot {}" if digits else self.notation.forms["*"]).format(product, text)
        return product

    def _factors(self, term: Term) -> list[Any]:
        """Return the factors of a chain of products, unless a step of it has a name."""
        found: list[Any] = []
        for part in term.parts:
            chain = isinstance(part, Term) and part.operation == "*" and id(part) not in self.steps
            found += self._factors(part) if chain else [part]
        return found

    def _is_quotient(self, part: Any) -> bool:
        return isinstance(part, Term) and part.operation == "/" and id(part) not in self.steps

    def _in_parentheses(self, text: str) -> str:
        if self.notation is LATEX and "\\frac" in text:
            return rf"\left( {text} \right)"
        return f"({text})"
