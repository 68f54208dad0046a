"""Parameters of the command line, made from the fields that structs of ``queries`` declare."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperArgument, TyperOption

from dsv3calc.queries.fields import OLD_NAMES_UNTIL, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dsv3calc.queries.fields import Field

Parameter = TyperArgument | TyperOption
_NOT_GIVEN: tuple[Any, ...] = (None, (), False)


class Parameters:
    """The parameters that give the fields of a struct, and the reading of their values.

    typer splits the command line; the fields read what it finds as texts.
    """

    __slots__ = ("_fields", "all")

    def __init__(self, struct: Any) -> None:
        self.all: list[Parameter] = []
        self._fields: dict[str, tuple[Field, str]] = {}
        for field in fields_of(struct).values():
            for number, (typed, parameter) in enumerate(_ways(field)):
                name = f"{field.name}_{number}"
                self.all.append(parameter(name))
                self._fields[name] = (field, typed)

    def taken_from(self, values: dict[str, Any]) -> Mapping[str, list[tuple[str, Any]]]:
        """Return what was given of each field, taking it from the values that typer found."""
        given: dict[str, list[tuple[str, Any]]] = {}
        for name, (field, typed) in self._fields.items():
            value = values.pop(name)
            if value not in _NOT_GIVEN:
                given.setdefault(field.name, []).append((typed, value))
        return given


def _ways(field: Field) -> Iterator[tuple[str, Callable[[str], Parameter]]]:
    """Yield each way to give a field: what is typed, and what makes its parameter by name."""
    option = field.option
    if option.positional:
        yield field.name, lambda name: _argument(field, name)
    if field.flag:
        yield field.flag, lambda name: _option(field, name, field.flag)
    for old in option.old:
        yield old, lambda name, old=old: _option(field, name, old)  # type: ignore[misc] # bound early


def _argument(field: Field, name: str) -> TyperArgument:
    option = field.option
    return TyperArgument(
        param_decls=[name],
        required=field.required and not field.flag,
        nargs=-1 if field.kind == "texts" else 1,
        metavar=option.metavar,
        help=option.text,
        autocompletion=_completion(field),
    )


def _option(field: Field, name: str, flag: str) -> TyperOption:
    option = field.option
    old = flag != field.flag
    words = f"Old name of {field.flag}, until {OLD_NAMES_UNTIL}." if old else option.text
    made = TyperOption(
        param_decls=[name, flag, *filter(None, [option.short])],
        required=field.required and not (option.positional or old),
        is_flag=field.kind == "flag",
        multiple=field.kind == "texts" and not option.separator,
        metavar=option.metavar.strip("[]") or None,
        help="The same, as an option." if option.positional else words,
        hidden=old,
        autocompletion=_completion(field),
        rich_help_panel=option.group or None,
    )
    made.today = field.flag  # type: ignore[attr-defined] # an old name is known with it
    return made


def complete_field(ctx: Any, args: Any, incomplete: str) -> list[str]:  # noqa: ARG001 - as typer asks
    """Complete the name of a field of a model, or of a preset with its kind in front."""
    from dsv3calc.catalogue.field_names import field_names

    return [f"{name}=" for name in field_names() if name.startswith(incomplete)]


_COLUMNS = ("models", "vary")
"""Fields of which each value is a column of a comparison: MODEL, or MODEL:NAME=VALUE,NAME=VALUE."""


def complete_column(ctx: Any, args: Any, incomplete: str) -> list[str]:  # noqa: ARG001 - as typer asks
    """Complete the model of a column, or the name of what is different there."""
    from dsv3calc.catalogue.references import model_names

    model, colon, changes = incomplete.partition(":")
    if not colon:
        return model_names(incomplete)
    from dsv3calc.catalogue.field_names import field_names
    from dsv3calc.studies.compare.entries import options
    from dsv3calc.studies.compare.vary import CHANGES

    before, comma, last = changes.rpartition(",")
    names = sorted({*CHANGES, *options(), *field_names()})
    return [f"{model}:{before}{comma}{name}=" for name in names if name.startswith(last)]


def _completion(field: Field) -> Callable[[Any, Any, str], list[str]] | None:
    """Return what completes a value in a shell: names of presets, choices, or nothing."""
    option = field.option
    if field.name == "set":
        return complete_field
    if field.name in _COLUMNS:
        return complete_column
    if not (option.preset or option.choices):
        return None

    def complete(ctx: Any, args: Any, incomplete: str) -> list[str]:  # noqa: ARG001 - as typer asks
        from dsv3calc.catalogue.references import model_names
        from dsv3calc.catalogue.search_path import listing

        before, comma, last = "", "", incomplete
        if option.separator:
            before, comma, last = incomplete.rpartition(option.separator)
        if option.preset == "model":
            return [f"{before}{comma}{name}" for name in model_names(last)]
        names = [*(listing(option.preset) if option.preset else ()), *option.values()]
        return [f"{before}{comma}{name}" for name in names if name.startswith(last)]

    return complete
