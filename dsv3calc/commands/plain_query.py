"""Read the command line of a query that has nothing for typer to do: no help, no wrong option.

What it reads, it reads as typer does. It reads nothing where typer would refuse, help, or have to
guess: typer is asked then.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dsv3calc.queries.fields import fields_of
from dsv3calc.queries.table import QUERIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.commands.query_command import QueryCommand
    from dsv3calc.commands.request import Request
    from dsv3calc.queries.fields import Field, Given

    Way = tuple[int, Field, str]
    """Which struct, its field, and what is typed for it."""


def read_plain(arguments: list[str], load: Callable[[str, str], Any]) -> Request | None:
    """Return the request of a command line; None where typer has to read it.

    ``load`` imports a command by its group and name.

    Raises
    ------
    UsageError
        If a value is wrong, as typer's callback would.
    """
    if "_DSV3CALC_COMPLETE" in os.environ:
        return None
    if arguments[:1] == ["explain"]:
        arguments = [*arguments[1:], "--explain"]
    count = 1 if arguments[:1] and arguments[0] in QUERIES else 2
    row = QUERIES.get(" ".join(arguments[:count]))
    if row is None or len(arguments) < count:
        return None
    command: QueryCommand = load(row.group, row.name)
    given = _split(arguments[count:], command.structs)
    return None if given is None else command.request(*given)


def _ways(structs: tuple[Any, ...]) -> dict[str, Way]:
    """Return what each option gives."""
    found = {}
    for number, struct in enumerate(structs):
        for field in fields_of(struct).values():
            for option in filter(None, (field.flag, field.option.short, *field.option.old)):
                typed = field.flag if option == field.option.short else option
                found[option] = (number, field, typed)
    return found


def _split(words: list[str], structs: tuple[Any, ...]) -> tuple[Given, ...] | None:
    """Return what is given of the fields of each struct; None where typer has to tell."""
    ways = _ways(structs)
    places: list[str] = []
    values: dict[str, Any] = {}
    waiting = words[::-1]
    while waiting:
        word = waiting.pop()
        if word == "--":
            places += waiting[::-1]
            break
        if word[:1] != "-" or word == "-":
            places.append(word)
        elif not _take(word, waiting, ways, values):
            return None
    return _by_field(places, values, ways, structs)


def _take(word: str, waiting: list[str], ways: dict[str, Way], values: dict[str, Any]) -> bool:
    """Take an option and its value, if it has one; tell whether that was plain to read."""
    option, attached, value = word.partition("=")
    if option not in ways or (attached and not option.startswith("--")):
        return False
    _, field, typed = ways[option]
    if field.kind == "flag":
        values[typed] = True
        return not attached
    if not attached:
        if not waiting:
            return False
        value = waiting.pop()
    if field.kind == "texts" and not field.option.separator:
        values[typed] = (*values.get(typed, ()), value)
        return True
    return bool(values.setdefault(typed, value) == value)


def _by_field(
    places: list[str], values: dict[str, Any], ways: dict[str, Way], structs: tuple[Any, ...]
) -> tuple[Given, ...] | None:
    """Put arguments and options to their fields; None where one is missing or left over."""
    given: tuple[dict[str, list[tuple[str, Any]]], ...] = tuple({} for _ in structs)
    own = fields_of(structs[0]).values()
    for field in own:
        if field.option.positional and places:
            whole = field.kind == "texts"
            taken = tuple(places) if whole else places[0]
            given[0][field.name] = [(field.name, taken)]
            del places[: None if whole else 1]
    for number, field, typed in dict.fromkeys(ways.values()):
        if typed in values:
            given[number].setdefault(field.name, []).append((typed, values[typed]))
    missing = any(field.required and field.name not in given[0] for field in own)
    return None if places or missing else given
