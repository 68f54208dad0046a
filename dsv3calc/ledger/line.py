"""The ledger: every number with its name, unit, convention, rule, and what it was made of.

A line's rule says how its value follows from its parts: ``sum``, ``product``, ``difference``,
``maximum`` or ``ratio`` of its parts, ``sum_of_products`` of their pairs, ``at_largest`` (of the
second half of its parts, the one where the first half is largest), a ``formula`` of its arguments,
``search`` (the best value that a stated bound allows), or ``given``: read from a preset, an
option or a table. Values may be ints, arrays or symbols: a line does not look at them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.formulas.registry.registry import FORMULAS
from dsv3calc.ledger.rules import RULES
from dsv3calc.ledger.tags import UNTAGGED, Tags
from dsv3calc.numbers.quantity_format import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, KeysView, Sequence

    from dsv3calc.formulas.registry.registry import Formula

_MISSING: Any = object()

Scope = tuple[str, Any]
"""A prefix such as ``model.groups.0.attention``, and the object that has the attributes."""


class Line(msgspec.Struct, eq=False):
    """One number and how it came to be."""

    name: str
    value: Any
    unit: str
    rule: str
    parts: tuple[Line, ...] = ()
    convention: str = ""
    formula: Formula | None = None
    _given: dict[str, Any] | None = None
    _scopes: tuple[Scope, ...] = ()
    tags: Tags = UNTAGGED

    @property
    def arguments(self) -> tuple[tuple[str, Any, str], ...]:
        """The formula's arguments: (parameter, value or line, place that the value was read from).

        Put together when asked for: most lines are never explained.
        """
        if self.formula is None or self._given is None:
            return ()
        bound = []
        for parameter in self.formula.parameters:
            if parameter in self._given:
                bound.append((parameter, self._given[parameter], ""))
            else:
                prefix, value = _from_scopes(self.formula, parameter, self._scopes)
                bound.append((parameter, value, f"{prefix}.{parameter}"))
        return tuple(bound)

    def renamed(self, name: str) -> Line:
        """Return the same line under another name."""
        return Line(
            name,
            self.value,
            self.unit,
            self.rule,
            self.parts,
            self.convention,
            self.formula,
            self._given,
            self._scopes,
            self.tags,
        )

    def changed(self, name: str, parts: Sequence[Line], arguments: dict[str, Any]) -> Line:
        """Return the same number under another name, with other lines that it is made of.

        ``arguments`` replace those of its formula by name.
        """
        return msgspec.structs.replace(
            self, name=name, parts=tuple(parts), _given={**(self._given or {}), **arguments}
        )

    def __repr__(self) -> str:
        shown = f"{self.value} {self.unit}"
        if type(self.value) in (int, float):
            shown = format_quantity(self.value, self.unit)
        return f"<{self.name} = {shown} ({self.rule})>"

    def walk(self) -> Iterator[Line]:
        """Yield this line and every line below it once, arguments included, parents first."""
        return self.walk_unseen(set())

    def walk_unseen(self, seen: set[Line]) -> Iterator[Line]:
        """Walk past the lines that were seen, and note those that are met.

        Lines share what they are made of: without this a walk takes every way down to each.
        """
        if self in seen:
            return
        seen.add(self)
        yield self
        for part in self.parts:
            yield from part.walk_unseen(seen)
        for _, argument, _ in self.arguments:
            if type(argument) is Line:
                yield from argument.walk_unseen(seen)

    def published(self) -> Iterator[Line]:
        """Yield this line and the computed lines it is made of, without formula arguments."""
        if self.rule != "given":
            yield self
        for part in self.parts:
            yield from part.published()

    def evaluate(self) -> Any:
        """Compute the value again from the parts or the arguments, by the rule.

        A ``given`` or ``search`` line has nothing to compute from and returns its value.
        """
        values = [part.value for part in self.parts]
        if self.rule == "formula":
            assert self.formula is not None  # noqa: S101 - the constructor helper sets both
            return self.formula.function(
                *(item.value if type(item) is Line else item for _, item, _ in self.arguments)
            )
        if self.rule in RULES:
            return RULES[self.rule].value(values)
        return self.value


def given(name: str, value: Any, unit: str, convention: str = "", tags: Tags = UNTAGGED) -> Line:
    """Return a line that was read, not computed; its name is the place it was read from."""
    return Line(name, value, unit, "given", (), convention, None, None, (), tags)


def combined(
    name: str,
    rule: str,
    parts: Sequence[Line],
    *,
    unit: str = "",
    convention: str = "",
    tags: Tags = UNTAGGED,
) -> Line:
    """Return the sum, product or another of :data:`~dsv3calc.ledger.rules.RULES` of lines.

    The unit is that of the first part unless stated.
    """
    values = [part.value for part in parts]
    return Line(
        name,
        RULES[rule].value(values),
        unit or (parts[0].unit if parts else "1"),
        rule,
        tuple(parts),
        convention,
        None,
        None,
        (),
        tags,
    )


def total(
    name: str,
    parts: Sequence[Line],
    *,
    unit: str = "",
    convention: str = "",
    tags: Tags = UNTAGGED,
) -> Line:
    """Return the sum of lines; a single part is the same number under another name."""
    return combined(name, "sum", parts, unit=unit, convention=convention, tags=tags)


def computed(
    name: str,
    function: Callable[..., Any],
    *scopes: Scope,
    unit: str = "",
    convention: str = "",
    tags: Tags = UNTAGGED,
    **arguments: Any,
) -> Line:
    """Return the line of a registered formula, its arguments bound by name.

    An argument is taken from ``arguments`` (a line or a plain value), else from the first scope
    whose object has an attribute of that name: formulas, schemas and options share one vocabulary.

    Raises
    ------
    TypeError
        If an argument is found nowhere.
    """
    formula = FORMULAS[function.__name__]
    values = []
    for parameter in formula.parameters:
        argument = arguments.get(parameter, _MISSING)
        if type(argument) is Line:
            values.append(argument.value)
        elif argument is _MISSING:
            values.append(_from_scopes(formula, parameter, scopes)[1])
        else:
            values.append(argument)
    return Line(
        name,
        function(*values),
        unit or formula.unit,
        "formula",
        (),
        convention,
        formula,
        arguments,
        scopes,
        tags,
    )


def _from_scopes(formula: Formula, parameter: str, scopes: tuple[Scope, ...]) -> tuple[str, Any]:
    for prefix, holder in scopes:
        value = getattr(holder, parameter, _MISSING)
        if value is not _MISSING:
            return prefix, value
    raise TypeError(f"{formula.name} needs {parameter}, which no scope has")


def field(scope: Scope, name: str, unit: str = "elements") -> Line:
    """Return a schema field as a line, named after its place."""
    prefix, holder = scope
    return Line(f"{prefix}.{name}", getattr(holder, name), unit, "given")


class Ledger:
    """The lines that answer one query about one design, and what a reader must know with them."""

    __slots__ = ("assumptions", "lines", "sources", "title", "warnings")

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        self.title = title
        self.lines = tuple(lines)
        self.assumptions: list[str] = []
        self.warnings: list[str] = []
        self.sources: list[dict[str, str]] = []

    def __repr__(self) -> str:
        """Show the main numbers with their names."""
        from dsv3calc.ledger.display import as_text

        return as_text(self.title, self._computed(), len(self))

    def _repr_html_(self) -> str:
        """Show the main numbers as a table in a notebook."""
        from dsv3calc.ledger.display import as_html

        return as_html(self.title, self._computed())

    def _computed(self) -> list[Line]:
        return [line for line in self.lines if line.rule != "given"]

    def to_pandas(self) -> Any:
        """Return a DataFrame of all values by name, with unit and convention.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        from dsv3calc.ledger.display import frame

        return frame(
            (
                {"name": name, "value": line.value, "unit": line.unit,
                 "convention": line.convention}
                for name, line in self.named().items()
            ),
            "name",
        )  # fmt: skip

    def main(self) -> Iterator[Line]:
        """Yield the lines at the top and their parts: what ``diff`` lists first."""
        for line in self.lines:
            yield line
            yield from line.parts

    def walk(self) -> Iterator[Line]:
        """Yield every line once, parents first."""
        seen: set[Line] = set()
        for line in self.lines:
            yield from line.walk_unseen(seen)

    def get(self, name: str) -> Line | None:
        """Return the line of that name, arguments of formulas included, or None."""
        return next((line for line in self.walk() if line.name == name), None)

    def find(self, name: str) -> Line:
        """Return the line of that name, arguments of formulas included.

        Raises
        ------
        KeyError
            If there is no such line, with the name that was probably meant.
        """
        line = self.get(name)
        if line is None:
            raise KeyError(self._unknown(name))
        return line

    def _unknown(self, name: str) -> str:
        from difflib import get_close_matches

        close = get_close_matches(name, self.named(), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "named() lists all of them"
        return f"{self.title} has no line {name!r}; {hint}"

    def named(self) -> dict[str, Line]:
        """Return the published lines by name: what is computed, arguments of formulas aside."""
        found: dict[str, Line] = {}
        seen: set[int] = set()

        def visit(line: Line) -> None:
            if id(line) in seen:  # a line that many share is gone through once
                return
            seen.add(id(line))
            if line.rule != "given":
                found[line.name] = line
            for part in line.parts:
                visit(part)

        for top in self.lines:
            visit(top)
        return found

    def __getitem__(self, name: str) -> Any:
        """Return the value of the line of that name.

        Raises
        ------
        KeyError
            If there is no such line.
        """
        return self.find(name).value

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a line of that name, arguments of formulas included."""
        return any(line.name == name for line in self.walk())

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the computed lines, as a mapping does."""
        return iter(self.named())

    def __len__(self) -> int:
        """Count the computed lines."""
        return len(self.named())

    def keys(self) -> KeysView[str]:
        """Return the names of the computed lines: with them, ``dict(ledger)`` is :attr:`values`."""
        return self.named().keys()

    @property
    def values(self) -> dict[str, Any]:
        """Every computed value by name, in base units."""
        return {name: line.value for name, line in self.named().items()}

    @property
    def units(self) -> dict[str, str]:
        """The unit of every value of :attr:`values`."""
        return {name: line.unit for name, line in self.named().items()}
