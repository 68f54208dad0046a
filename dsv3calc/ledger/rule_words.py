"""Rules of the ledger in words, in symbols and with numbers put in.

What is written follows the order in which ``RULES`` of ``line`` computes; a test evaluates
the printed text of every line and compares.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = {
    "sum": "sum",
    "product": "product",
    "difference": "the first term minus the others",
    "ratio": "ratio",
    "maximum": "maximum",
    "sum_of_products": "sum of products",
    "at_largest": "the value of the second half at the largest of the first half",
    "search": "found by search: the best value within the bound",
    "given": "read, not computed",
}
"""Rule -> what it does, in words; a formula has its own."""

SAME = "alias of"
"""What a sum, a product or a maximum of a single part is."""

_OPEN = {"sum": " + ", "product": "·", "difference": " \N{MINUS SIGN} "}


def words_of(rule: str, count: int) -> str:
    """Return a rule in words, for so many parts."""
    if count == 0 and rule == "sum":
        return "0 (no terms)"
    if count == 1 and rule in ("sum", "product", "maximum", "difference"):
        return SAME
    return WORDS[rule]


def number_text(value: Any) -> str:
    """Write a number so that it can be read back exactly.

    >>> number_text(71303168), number_text(1.25), number_text(-3)
    ('71,303,168', '1.25', '\N{MINUS SIGN}3')
    """
    text = f"{value:,}" if isinstance(value, int) else repr(value)
    return f"\N{MINUS SIGN}{text[1:]}" if text.startswith("-") else text


def expression_text(rule: str, texts: Sequence[str]) -> str:
    """Write a rule over the texts of its parts: names, or numbers.

    >>> expression_text("sum_of_products", ["3", "10", "58", "7"])
    '3·10 + 58·7'
    """
    if not texts:
        return "1" if rule == "product" else "0"
    if rule in _OPEN:
        first, *rest = texts
        return _OPEN[rule].join([first, *map(_operand, rest)])
    if rule == "ratio":
        return f"{_operand(texts[0])} / {_operand(texts[1])}"
    if rule == "maximum":
        return texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"
    if rule == "sum_of_products":
        pairs = zip(texts[::2], texts[1::2], strict=True)
        return " + ".join(f"{_operand(a)}·{_operand(b)}" for a, b in pairs)
    middle = len(texts) // 2  # at_largest
    keys, values = ", ".join(texts[:middle]), ", ".join(texts[middle:])
    return f"of ({values}) the one where ({keys}) is largest"


def _operand(text: str) -> str:
    return f"({text})" if text.startswith("\N{MINUS SIGN}") else text
