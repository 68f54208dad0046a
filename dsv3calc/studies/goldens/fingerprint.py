"""What a number was made from: its inputs by place, its formulas by digest.

A snapshot stores this beside the number, so that a check can say not only that it moved but why.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

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


def explain_change(
    before: dict[str, Any], now: dict[str, Any], place_of: Callable[[str], str]
) -> list[str]:
    """Say which inputs and formulas differ between a snapshot and today.

    ``place_of`` gives the file and line of an input, or nothing.
    """
    reasons = []
    for place in dict.fromkeys([*before, *now]):
        old, new = before.get(place), now.get(place)
        if old == new and (place in before) == (place in now):
            continue
        if place.startswith(FORMULA_PREFIX):
            name = place.removeprefix(FORMULA_PREFIX)
            if place not in now:
                reasons.append(f"formula {name} is no longer used")
            else:
                verb = "changed" if place in before else "is used now"
                reasons.append(f"formula {name} {verb}")
        elif place not in before:
            reasons.append(f"{place} = {new} is used now{_at(place_of(place))}")
        elif place not in now:
            reasons.append(f"{place} (was {old}) is no longer used")
        else:
            reasons.append(f"{place}: {old} -> {new}{_at(place_of(place))}")
    return reasons or [
        (
            "inputs and formulas are as recorded: the expected number was edited, or the sum is "
            "made differently"
        )
    ]


def _at(place: str) -> str:
    return f" ({place})" if place else ""
