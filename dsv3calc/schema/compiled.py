"""Structs as plain data and back, for presets that were checked when the package was built.

A conversion by msgspec first works out what every type accepts, which is most of the time of a
load. A struct that is made of its fields needs none of that. Fields have names, and those with
their default are left out: data of an older version of a struct are refused, or still right.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.reading.compiled_presets import MISSING, find

if TYPE_CHECKING:
    from dsv3calc.reading.source import Source

_TYPE = ""
"""The key under which a mapping names the struct that it is: no field and no YAML key is empty."""

_SCHEMA = "dsv3calc.schema."


def checked(kind: str, source: Source) -> Any:
    """Return the struct of a shipped preset that was not changed since; None for any other."""
    data = find(source.text, kind) if source.form == "yaml" else MISSING
    with suppress(AttributeError, ImportError, TypeError):  # the struct has changed since
        return None if data is MISSING else from_plain(data)
    return None


def as_plain(value: Any) -> Any:
    """Return a struct as plain data, with the types of the structs in it.

    Raises
    ------
    TypeError
        If it holds what is neither a struct nor a list, a mapping or a scalar.
    """
    if isinstance(value, msgspec.Struct):
        type_ = type(value)
        fields = msgspec.structs.fields(type_)
        every = {each.name: getattr(value, each.name) for each in fields}
        changed = {
            each.name: as_plain(every[each.name])
            for each in fields
            if each.required or not _is_default(each, every[each.name])
        }
        return {_TYPE: f"{type_.__module__.removeprefix(_SCHEMA)} {type_.__name__}"} | changed
    if type(value) is dict and _TYPE not in value:
        return {name: as_plain(each) for name, each in value.items()}
    if type(value) is list:
        return [as_plain(each) for each in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(f"{type(value)} is not compiled")


def _is_default(field: msgspec.structs.FieldInfo, value: Any) -> bool:
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return type(value) is type(default) and bool(value == default)


def from_plain(data: Any) -> Any:
    """Return the struct of which these are the plain data.

    Raises
    ------
    AttributeError, ImportError, TypeError
        If the structs are no longer those that the data were made of.
    """
    if type(data) is dict:
        found = {name: from_plain(each) for name, each in data.items()}
        type_ = found.pop(_TYPE, None)
        return found if type_ is None else _struct(type_)(**found)
    if type(data) is list:
        return [from_plain(each) for each in data]
    return data


KNOWN: dict[str, type[Any]] = {}
"""Structs that were made of plain data, by what names them there."""


def _struct(words: str) -> type[Any]:
    found = KNOWN.get(words)
    if found is None:
        module, _, name = words.partition(" ")
        found = KNOWN[words] = getattr(import_module(_SCHEMA + module), name)
    return found
