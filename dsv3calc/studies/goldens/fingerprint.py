"""What a number was made from: its inputs by place, its formulas by digest.

A snapshot stores this beside the number, so that a check can say not only that it moved but why.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.ledger.line import Line

FORMULA_PREFIX = "formula."


def made_from(line: Line) -> dict[str, Any]:
    """Return the inputs and formulas of a line: place -> value, ``formula.NAME`` -> digest."""
    inputs: dict[str, Any] = {}
    formulas: set[str] = set()
    seen: set[int] = set()
    stack = [line]
    while stack:
        current = stack.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if current.rule == "given":
            if "." in current.name:  # a place in a preset or in the workload
                inputs[current.name] = current.value
            continue
        if current.formula is not None:
            formulas.add(current.formula.name)
            for _, value, place in current.arguments:
                if hasattr(value, "rule"):
                    stack.append(value)
                elif place:
                    inputs[place] = value
        stack.extend(current.parts)
    return dict(sorted(inputs.items())) | {
        FORMULA_PREFIX + name: formula_digest(name) for name in sorted(formulas)
    }


@cache
def formula_digest(name: str) -> str:
    """Return a short digest of a formula's arithmetic: its source without docstring and spacing."""
    import ast
    import hashlib
    import inspect
    import textwrap

    from dsv3calc.formulas.registry.registry import FORMULAS

    source = textwrap.dedent(inspect.getsource(FORMULAS[name].function))
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)  # noqa: S101 - every formula is one
    body = ast.unparse([*function.body[1:]])  # type: ignore[arg-type] # statements, as documented
    arguments = ", ".join(argument.arg for argument in function.args.args)
    return hashlib.sha256(f"({arguments})\n{body}".encode()).hexdigest()[:12]


class Reason(NamedTuple):
    """One thing that differs between a snapshot and today: in full, in brief, and its place."""

    text: str
    brief: str
    place: str = ""


def explain_change(
    before: dict[str, Any], now: dict[str, Any], place_of: Callable[[str], str]
) -> list[Reason]:
    """Say which inputs and formulas differ between a snapshot and today.

    ``place_of`` gives the file and line of an input, or nothing.
    """
    reasons = []
    for place in dict.fromkeys([*before, *now]):
        old, new = before.get(place), now.get(place)
        if old == new and (place in before) == (place in now):
            continue
        if place.startswith(FORMULA_PREFIX):
            reasons.append(_of_formula(place, before, now))
            continue
        leaf = place.rpartition(".")[2]
        if place not in now:
            reasons.append(Reason(f"{place} (was {old}) is no longer used", f"{leaf} is not used"))
            continue
        told, where = "", place_of(place)
        if place not in before:
            told, brief = f"{place} = {new} is used now", f"{leaf} = {new} is used"
        else:
            told, brief = f"{place}: {old} -> {new}", f"{leaf} {old} -> {new}"
        reasons.append(Reason(told + (f" ({where})" if where else ""), brief, where))
    edited = "the expected number was edited, or the calculation changed"
    return reasons or [Reason(f"inputs and formulas are as recorded: {edited}", edited)]


def _of_formula(place: str, before: dict[str, Any], now: dict[str, Any]) -> Reason:
    name = place.removeprefix(FORMULA_PREFIX)
    verb = "is no longer used"
    if place in now:
        verb = "changed" if place in before else "is used now"
    return Reason(f"formula {name} {verb}", f"formula {name} {verb}")
