"""The rules of the ledger: how the value of a line follows from its parts.

A rule has its value, its words, and its text in symbols. The value uses the operations of
:mod:`dsv3calc.numbers.ops` only, so parts may be ints, arrays, symbols or terms. The text follows
the order in which the value is computed; a test evaluates the printed text of every line.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import reduce
from operator import add, mul
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.numbers import ops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Rule(msgspec.Struct, frozen=True):
    """How a value follows from the values of parts, in arithmetic, in words and in symbols."""

    words: str
    value: Callable[[Sequence[Any]], Any]
    text: Callable[[Sequence[str]], str]


def _sum(values: Sequence[Any]) -> Any:
    return reduce(add, values) if values else 0


def _product(values: Sequence[Any]) -> Any:
    return reduce(mul, values) if values else 1


def _maximum(values: Sequence[Any]) -> Any:
    distinct = {id(value): value for value in values}
    return reduce(ops.maximum, distinct.values())


def _sum_of_products(values: Sequence[Any]) -> Any:
    if not values:
        return 0
    total = values[0] * values[1]
    for index in range(2, len(values), 2):
        total = total + values[index] * values[index + 1]
    return total


def _at_largest(values: Sequence[Any]) -> Any:
    middle = len(values) // 2
    largest, found = values[0], values[middle]
    for key, value in zip(values[1:middle], values[middle + 1 :], strict=True):
        found = ops.where(ops.exceeds(key, largest), value, found)
        largest = ops.maximum(largest, key)
    return found


def _joined(sign: str, texts: Sequence[str]) -> str:
    first, *rest = texts
    return sign.join([first, *map(_operand, rest)])


def _operand(text: str) -> str:
    return f"({text})" if text.startswith("\N{MINUS SIGN}") else text


def _maximum_text(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"


def _sum_of_products_text(texts: Sequence[str]) -> str:
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return " + ".join(f"{_operand(a)}·{_operand(b)}" for a, b in pairs)


def _at_largest_text(texts: Sequence[str]) -> str:
    middle = len(texts) // 2
    keys, values = ", ".join(texts[:middle]), ", ".join(texts[middle:])
    return f"of ({values}) the one where ({keys}) is largest"


RULES = {
    "sum": Rule("sum", _sum, lambda texts: _joined(" + ", texts)),
    "product": Rule("product", _product, lambda texts: _joined("·", texts)),
    "maximum": Rule("maximum", _maximum, _maximum_text),
    "sum_of_products": Rule("sum of products", _sum_of_products, _sum_of_products_text),
    "at_largest": Rule(
        "the value of the second half at the largest of the first half",
        _at_largest,
        _at_largest_text,
    ),
    "difference": Rule(
        "the first term minus the others",
        lambda values: values[0] - _sum(values[1:]),
        lambda texts: _joined(" \N{MINUS SIGN} ", texts),
    ),
    "ratio": Rule(
        "ratio",
        lambda values: ops.ratio(values[0], values[1]),
        lambda texts: f"{_operand(texts[0])} / {_operand(texts[1])}",
    ),
}
"""Rule -> what it is. A ``formula`` follows from arguments instead, and has its own words."""

WITHOUT_PARTS = {
    "search": "found by search: the best value within the bound",
    "count": "counted over all cases",
    "walk": "by the clock: every pass of every rank in the order of the schedule",
    "given": "read, not computed",
}
"""Rule of a line that is not computed from parts -> its words."""


def words_of(rule: str, count: int) -> str:
    """Return a rule in words, for so many parts."""
    if rule in WITHOUT_PARTS:
        return WITHOUT_PARTS[rule]
    if count == 0:
        return f"{RULES[rule].value(())} (no terms)"
    return "alias of" if count == 1 else RULES[rule].words


def expression_text(rule: str, texts: Sequence[str]) -> str:
    """Write a rule over the texts of its parts: names, or numbers.

    >>> expression_text("sum_of_products", ["3", "10", "58", "7"])
    '3·10 + 58·7'
    """
    return RULES[rule].text(texts) if texts else str(RULES[rule].value(()))


def number_text(value: Any) -> str:
    """Write a number so that it can be read back exactly.

    >>> number_text(71303168), number_text(1.25), number_text(-3)
    ('71,303,168', '1.25', '\N{MINUS SIGN}3')
    """
    text = f"{value:,}" if isinstance(value, int) else repr(value)
    return f"\N{MINUS SIGN}{text[1:]}" if text.startswith("-") else text
