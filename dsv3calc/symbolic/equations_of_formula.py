"""Closed forms of formulas: as algebra by sympy, and written down in symbols.

The equation of a formula is never typed: it comes from running the formula's own arithmetic.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.formulas.registry.glossary import INTERMEDIATE, SYMBOLS, latex
from dsv3calc.formulas.registry.plain_text import plain
from dsv3calc.symbolic.printer import LATEX, UNICODE, render
from dsv3calc.symbolic.term import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dsv3calc.formulas.registry.registry import Formula
    from dsv3calc.symbolic.printer import Notation
    from dsv3calc.symbolic.term import Term


def sympy_symbol(name: str) -> Any:
    """Return the sympy symbol of a name: the same one wherever the name stands.

    It is positive where the name is at least 1, else nonnegative, and an integer where the name
    counts something.
    """
    import sympy

    entry = SYMBOLS[name]
    known = {"positive": True} if entry.least or not entry.whole else {"nonnegative": True}
    return sympy.Symbol(name, integer=True, **known) if entry.whole else sympy.Symbol(name, **known)


def equations(formula: Formula, notation: Notation = LATEX) -> tuple[str, ...]:
    r"""Return the equation of a formula, then what its named steps stand for.

    >>> from dsv3calc.formulas.registry.registry import all_formulas
    >>> equations(all_formulas()["window_half_channel_flops"])[1]
    'S_g = \\min(\\max(W - P, 0), S)'
    """
    shown = _symbol_in(notation)
    result, steps = _steps_of(formula)
    left = formula.symbol if notation is LATEX else plain(formula.symbol)
    names = {id(step): name for name, step in steps.items()}
    found = [f"{left} = {render(result, notation, shown, names)}"]
    for name, step in steps.items():
        others = {key: other for key, other in names.items() if other != name}
        found.append(f"{shown(name)} = {render(step, notation, shown, others)}")
    return tuple(found)


def unicode_equation(formula: Formula) -> str:
    """Return the equation of a formula as one line of plain text.

    >>> from dsv3calc.formulas.registry.registry import all_formulas
    >>> unicode_equation(all_formulas()["stored_bytes"])
    'B_stored = ⌈N·b / 8⌉'
    """
    first, *where = equations(formula, UNICODE)
    return first + (f"  with  {', '.join(where)}" if where else "")


def right_hand_side(
    formula: Formula, shown: Mapping[str, str] | None = None, notation: Notation = UNICODE
) -> str:
    """Return a formula's right-hand side in one expression, its steps put in.

    Parameters
    ----------
    shown
        Argument -> the text in its place (a number, say); by default its symbol.
    notation
        ``UNICODE``, ``LATEX`` or ``PYTHON`` of :mod:`dsv3calc.symbolic.printer`.

    Examples
    --------
    >>> from dsv3calc.formulas.registry.registry import all_formulas
    >>> known = all_formulas()
    >>> right_hand_side(known["mla_kv_down_width"], {"kv_lora_rank": "512"})
    '512 + d_r'
    """
    symbol = _symbol_in(notation)
    given = shown or {}
    result, _ = record(formula.function)
    return render(result, notation, lambda name: given.get(name) or symbol(name))


def _symbol_in(notation: Notation) -> Callable[[str], str]:
    if notation is LATEX:
        return latex
    return (lambda name: plain(latex(name))) if notation is UNICODE else str


def _steps_of(formula: Formula) -> tuple[Any, dict[str, Term]]:
    """Return the recorded result and the steps that have a symbol, in the order of use."""
    result, steps = record(formula.function)
    return result, {
        name: step for name, step in steps.items() if name in INTERMEDIATE and step is not result
    }
