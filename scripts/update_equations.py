"""Write the traced equation of each formula into its docstring.

Usage: ``python scripts/update_equations.py [--check]``. A new formula is written with
``.. math:: @`` in its docstring; this script replaces whatever stands there.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast
import sys
import textwrap
from typing import TYPE_CHECKING

from fresh import ROOT, write

from dsv3calc.formulas.registry.registry import all_formulas
from dsv3calc.symbolic.equations_of_formula import equations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDEST = 100
_DIRECTIVE = ".. math::"


def math_block(lines: Sequence[str], indent: str = "    ") -> list[str]:
    r"""Return the lines of a ``.. math::`` directive: one where it fits, else aligned equations.

    >>> math_block(["a = b"])
    ['    .. math:: a = b']
    """
    single = f"{indent}{_DIRECTIVE} {lines[0]}"
    if len(lines) == 1 and len(single) <= WIDEST:
        return [single]
    inner = f"{indent}    "
    if len(lines) > 1:
        last = len(lines) - 1
        aligned = [line.replace(" = ", " &= ", 1) for line in lines]
        lines = [line + (r" \\" if number < last else "") for number, line in enumerate(aligned)]
    block = [f"{indent}{_DIRECTIVE}", ""]
    for line in lines:
        block += textwrap.wrap(
            line, WIDEST, initial_indent=inner, subsequent_indent=f"{inner}    ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    return block


def updated(text: str) -> str:
    """Return the source of a formula file with the equations of today's formulas.

    Raises
    ------
    ValueError
        If a formula's docstring has no ``.. math::``.
    """
    lines = text.split("\n")
    formulas = all_formulas()
    for function in reversed(list(_formula_functions(text))):  # from the end: lines stay where
        docstring = function.body[0]
        first, last = docstring.lineno - 1, docstring.end_lineno
        block = lines[first:last]
        start = next((n for n, line in enumerate(block) if line.strip().startswith(_DIRECTIVE)), -1)
        if start < 0:
            raise ValueError(f"the docstring of {function.name} has no {_DIRECTIVE}")
        indent = block[start][: len(block[start]) - len(block[start].lstrip())]
        stop = start + 1
        while stop < len(block) and (
            not block[stop].strip() or block[stop].startswith(f"{indent} ")
        ):
            stop += 1
        new = math_block(equations(formulas[function.name]), indent)
        block[start:stop] = [*new, ""]
        if block[0].lstrip().startswith('"""'):
            block[0] = block[0].replace('"""', 'r"""', 1)
        lines[first:last] = block
    return "\n".join(lines)


def _formula_functions(text: str) -> Iterator[ast.FunctionDef]:
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and any(
            isinstance(decorator, ast.Call)
            and isinstance(decorator.func, ast.Name)
            and decorator.func.id == "formula"
            for decorator in node.decorator_list
        ):
            yield node


def files() -> dict[str, str]:
    """Return each formula file with its text as it should be."""
    return {
        str(path.relative_to(ROOT)): updated(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "dsv3calc" / "formulas").glob("*.py"))
    }


if __name__ == "__main__":
    sys.exit(write(files()))
