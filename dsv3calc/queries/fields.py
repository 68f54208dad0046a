"""What a field of a query is declared with, and how its value is read.

A field is annotated with an :class:`Option` or an :class:`Argument`. The command line, the keyword
API, keys of golden files, their JSON Schema and the option reference are made from it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_args

from dsv3calc.errors import UsageError
from dsv3calc.numbers import quantity
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Annotated as Annotated  # noqa: PLC0414 - exported

    Given = Mapping[str, Sequence[tuple[str, Any]]]

else:

    class Annotated:
        """What ``typing.Annotated`` is for :func:`fields_of`, made in a twentieth of its time.

        A query has up to sixty such fields, and each process declares them anew.
        """

        __slots__ = ("__metadata__", "__origin__")

        def __init__(self, origin: Any, *metadata: Any) -> None:
            self.__origin__, self.__metadata__ = origin, metadata

        def __class_getitem__(cls, items: tuple[Any, ...]) -> Annotated:
            return cls(*items)


OLD_NAMES_UNTIL = "0.3"
"""Version in which the old names of options go away."""

SECTIONS = {"Arguments": -1, "Presets": 1, "Explanation": 2, "Output": 3}
"""Sections of a help that do not stand where they first come up -> their place."""

_METAVARS = {
    "tokens": "TOKENS", "count": "N", "bytes": "BYTES", "s": "TIME", "ratio": "RATIO", "usd": "USD",
}  # fmt: skip


class Option:
    """How a field is given on the command line, in Python and in golden files.

    Parameters
    ----------
    help
        What it means, in a phrase.
    group
        The title of its section in the help.
    flag
        Its option, where that is not the field's name: ``--seq``.
    short
        A second spelling of one letter: ``-o``.
    default
        What is taken where it is not given, in words.
    old
        Former flags, which are hidden and work until ``OLD_NAMES_UNTIL``.
    dimension
        Of a number: the dimension that it is read with.
    least
        The smallest number that is accepted; None for no bound.
    preset
        The kind of preset that it names, for completion; ``*`` for any kind.
    choices
        Where its values are listed, for completion: ``module:NAME`` of a tuple, a mapping, a
        ``Literal`` or a function that returns one, or ``module:NAME/KEY`` of named conventions.
    number
        The input of the ledger that it gives, where that is not the field's name.
    separator
        What separates several values in one text.
    """

    __slots__ = (
        "choices",
        "default",
        "dimension",
        "flag",
        "group",
        "help",
        "least",
        "metavar",
        "number",
        "old",
        "preset",
        "separator",
        "short",
    )
    positional = False

    def __init__(
        self,
        help: str,  # noqa: A002 - as in typer
        group: str = "",
        *,
        flag: str = "",
        short: str = "",
        metavar: str = "",
        default: str = "",
        old: tuple[str, ...] = (),
        dimension: str = "",
        least: int | None = 1,
        preset: str = "",
        choices: str = "",
        number: str = "",
        separator: str = "",
    ) -> None:
        self.help = help
        self.group = group
        self.flag = flag
        self.short = short
        self.metavar = metavar or _METAVARS.get(dimension, "")
        self.default = default
        self.old = old
        self.dimension = dimension
        self.least = least
        self.preset = preset
        self.choices = choices
        self.number = number
        self.separator = separator

    @property
    def text(self) -> str:
        """The help with its default, as a sentence."""
        return f"{self.help}{f' [{self.default}]' if self.default else ''}."

    def values(self) -> list[str]:
        """Return the values that can be named, where they are an enumeration."""
        if not self.choices:
            return []
        place, _, key = self.choices.partition("/")
        module, _, name = place.partition(":")
        found = getattr(import_module(f"dsv3calc.{module}"), name)
        if callable(found) and not get_args(found):
            found = found()
        if key:
            found = found[key][1]
        return list(get_args(found) or found)


class Argument(Option):
    """A field that stands without an option; ``flag`` is an option that gives it as well."""

    __slots__ = ()
    positional = True


class Field:
    """A field of a query with what it is declared with.

    ``kind`` is ``flag``, ``whole``, ``measure``, ``text`` or ``texts``.
    """

    __slots__ = ("flag", "kind", "name", "option", "required")

    def __init__(self, name: str, type_: Any, option: Option, *, required: bool) -> None:
        self.name = name
        self.option = option
        self.kind = _kind(type_)
        self.required = required
        own = "" if option.positional else f"--{name.replace('_', '-')}"
        self.flag = option.flag or own

    @property
    def parameter(self) -> str:
        """Its name as a keyword of Python: that of its option."""
        name = self.flag[2:].replace("-", "_") or self.name
        return f"{name}_" if name == "as" else name

    @property
    def keys(self) -> dict[str, str]:
        """Each name that stands for it in Python and in golden files, and what is typed for it."""
        shown = self.flag or self.name
        found = {self.name: shown, self.parameter: shown, self.parameter.rstrip("_"): shown}
        return found | {old[2:].replace("-", "_"): old for old in self.option.old}

    @property
    def number(self) -> str:
        """The input of the ledger that it gives."""
        return self.option.number or self.name

    def read(self, typed: str, raw: Any) -> Any:
        """Return the value of what was given, a text or a plain value.

        Raises
        ------
        UsageError
            Naming the option as it was ``typed``.
        """
        option = self.option
        if self.kind in ("whole", "measure"):
            least = option.least if self.kind == "whole" else None
            try:
                if option.separator:
                    raw = _one_or_several(raw, option.separator)
                if isinstance(raw, list):
                    return tuple(quantity.parse(e, option.dimension, minimum=least) for e in raw)
                return quantity.parse(raw, option.dimension, minimum=least)
            except UsageError as error:
                raise UsageError(f"{typed} {error.message}", error.hint) from None
        if self.kind == "flag":
            return _expect(bool, typed, raw, "true or false")
        if self.kind == "text":
            return _expect(str, typed, raw, "a text")
        if isinstance(raw, str):
            raw = raw.split(option.separator) if option.separator else [raw]
        if not isinstance(raw, list | tuple):
            _expect(str, typed, raw, "a text or several")
        texts = [_expect(str, typed, each, "a text") for each in raw]
        return tuple(each.strip() for each in texts) if option.separator else tuple(texts)

    def choose(self, given: Sequence[tuple[str, Any]]) -> tuple[str, Any]:
        """Return the one value that was given, which may stand under several of its names.

        Raises
        ------
        UsageError
            If there are different ones.
        """
        for typed, raw in given[1:]:
            if raw != given[0][1]:
                raise UsageError(
                    f"{given[0][0]} and {typed} are one option, given {quote(str(given[0][1]))} "
                    f"and {quote(str(raw))}",
                    f"give {self.flag} alone",
                )
        return given[0]


_GROUPED = r"\d{1,3}(,\d{3})+"
"""A number with commas between its thousands."""
_EITHER = r"\d{3}(,[1-9]\d{2})+"
"""What may as well be a list, unlike 4,096 and 16,384."""


def _one_or_several(raw: Any, separator: str) -> Any:
    """Return the parts of a list of numbers, or what is one number: 1,024 is."""
    if isinstance(raw, list | tuple):
        return list(raw) if len(raw) != 1 else raw[0]
    if isinstance(raw, str) and re.fullmatch(_EITHER, raw.strip()):
        raise UsageError(
            f"{quote(raw)} is either one number or a list",
            f"{raw.strip().replace(',', '')} for the number, {raw.strip().replace(',', separator)} "
            "for the list",
        )
    if not isinstance(raw, str) or re.fullmatch(_GROUPED, raw.strip()):
        return raw
    parts = raw.replace(",", separator).split(separator)
    return parts if len(parts) > 1 else raw


def _expect(type_: type, typed: str, raw: Any, words: str) -> Any:
    if not isinstance(raw, type_):
        raise UsageError(f"{typed} {quote(str(raw))}: expected {words}")
    return raw


def _kind(type_: Any) -> str:
    types = {type_, *get_args(type_)}
    for each, kind in ((bool, "flag"), (int, "whole"), (float, "measure"), (str, "text")):
        if each in types and ... not in types:
            return kind
    return "texts"


@cache
def fields_of(struct: Any) -> dict[str, Field]:
    """Return the fields of a struct that can be given, by name, in the order of the struct."""
    from msgspec import NODEFAULT

    names, defaults = struct.__struct_fields__, struct.__struct_defaults__
    own = dict(zip(reversed(names), reversed(defaults), strict=False))
    declared: dict[str, Any] = {}
    for base in reversed(struct.__mro__[:-1]):
        declared |= getattr(base, "__annotations__", {})
    found = {}
    for name in names:
        annotation = declared[name]
        options = getattr(annotation, "__metadata__", ())
        if options:
            default = own.get(name, NODEFAULT)
            required = default is NODEFAULT
            found[name] = Field(name, annotation.__origin__, options[0], required=required)
    return found


@cache
def keys_of(struct: Any) -> dict[str, tuple[Field, str]]:
    """Return each name that a struct's fields have in Python and golden files.

    It is given with the field and with what would be typed for it.
    """
    found: dict[str, tuple[Field, str]] = {}
    for field in fields_of(struct).values():
        found |= {key: (field, typed) for key, typed in field.keys.items()}
    return found


def flag_of(query: Any, name: str) -> str:
    """Return the option of a field of a query; of another name the option that it would have."""
    struct = query if isinstance(query, type) else type(query)
    field = fields_of(struct).get(name)
    return field.flag if field is not None else f"--{name.replace('_', '-')}"


def field_giving(query: Any, number: str) -> str:
    """Return the field of a query that gives an input of the ledger; its own name if none does."""
    struct: Any = type(query)
    fields = fields_of(struct).values()
    return next((field.name for field in fields if field.number == number), number)


def number_named(query: Any, key: str) -> str:
    """Return the input of the ledger that a name of a field of a query means."""
    struct: Any = type(query)
    found = keys_of(struct).get(key)
    return key if found is None else found[0].number


def read_query(struct: Any, given: Given) -> Any:
    """Make a query of what was given for its fields: what was typed, with the value.

    Raises
    ------
    UsageError
        If a value is wrong, missing, or given twice.
    """
    values: dict[str, Any] = {}
    notes = []
    for field in fields_of(struct).values():
        found = given.get(field.name, ())
        if field.required and (not found or (field.option.positional and len(found) > 1)):
            way = f", as an argument or with {field.flag}" * field.option.positional
            raise UsageError(
                f"{struct.command} takes one {field.name}{way if field.flag else ''}",
                f"dsv3calc {struct.command} --help",
            )
        if not found:
            continue
        typed, raw = field.choose(found)
        values[field.name] = field.read(typed, raw)
        if field.kind == "whole" and not isinstance(values[field.name], tuple):
            notes.append(quantity.other_reading(raw, field.option.dimension))
    told = tuple(note for note in notes if note)
    return struct(**values, notes=told) if told else struct(**values)
