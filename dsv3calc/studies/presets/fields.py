"""The fields of presets by dotted path: of one preset, and of two side by side."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_APART = ("sources", "provenance", "name", "title", "aliases")

_FIT = "fit"
"""How the values of an entry were fitted. It is not compared: the values are."""


def flatten(value: Any, *, everything: bool = False) -> list[tuple[str, Any]]:
    """Return a struct's leaves by dotted path; sources and names left out unless asked for."""
    return list(_leaves(_built(value, everything=everything), ""))


def side_by_side(one: Any, two: Any) -> list[tuple[str, Any, Any]]:
    """Return the leaves of two structs by dotted path, None where one has no such field.

    Of a table of fitted entries the names are compared, and the values of those that both have.
    """
    return list(_pairs(_built(one), _built(two), ""))


def _built(value: Any, *, everything: bool = False) -> Any:
    data = msgspec.to_builtins(value)
    if everything:
        return data
    return {name: part for name, part in data.items() if name not in _APART}


def _leaves(data: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict) and data:
        for name, part in data.items():
            yield from _leaves(part, _joined(path, name))
    elif isinstance(data, list) and any(isinstance(part, dict | list) for part in data):
        for number, part in enumerate(data):
            yield from _leaves(part, f"{path}.{number}")
    else:
        yield path, data


def _pairs(one: Any, two: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    sides = [{} if side is None else side for side in (one, two)]
    if sides == [{}, {}]:
        yield path, None, None  # an empty table says no more than none
        return
    if not all(isinstance(side, dict) for side in sides):
        left, right = dict(_leaves(one, path)), dict(_leaves(two, path))
        for name in dict.fromkeys([*left, *right]):
            yield name, left.get(name), right.get(name)
        return
    names = dict.fromkeys([*sides[0], *sides[1]])
    if any(_is_fitted(part) for side in sides for part in side.values()):
        yield path, list(sides[0]) or None, list(sides[1]) or None
        names = dict.fromkeys(name for name in sides[0] if name in sides[1])
    for name in names:
        if name != _FIT:
            a, b = (side.get(name) for side in sides)
            yield from _pairs(a, b, _joined(path, name))


def _is_fitted(data: Any) -> bool:
    return isinstance(data, dict) and isinstance(data.get(_FIT), dict)


def _joined(path: str, name: Any) -> str:
    return f"{path}.{name}" if path else str(name)
