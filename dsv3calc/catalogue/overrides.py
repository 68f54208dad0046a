"""``--set NAME=VALUE``: edits of a preset's plain data, validated afterwards like the file.

A bare name changes the model field of that name, or else every layer group whose attention, mixer
or feed-forward has it; ``groups.1.feed_forward.num_experts_per_tok`` changes one. The prefixes
``hardware.``, ``precision.``, ``kv_format.``, ``layout.``, ``network.``, ``recipe.``,
``recompute.`` and ``setup.`` reach the other presets of a query.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.errors import InvalidInput, InvalidOverride, UsageError
from dsv3calc.reading.diagnostics import did_you_mean, quote
from dsv3calc.reading.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.reading.text import PathInData

OTHER_KINDS = (
    "hardware", "precision", "kv_format", "layout", "network", "recipe", "recompute", "setup",
    "failures",
)  # fmt: skip
_PARTS = ("attention", "mixer", "feed_forward")
FORMER_PLACES = {"runtime.": "setup.memory."}
"""What places of 0.1.0 began with -> what they begin with now."""

LONGEST = 200
_INTEGER = r"0|[1-9][0-9]{0,17}"
"""The same in YAML and JSON; the reader of JSON is imported ten times as fast."""


class NoSuchPlace(UsageError):
    """An override leads nowhere, whatever its value is."""


class UnknownField(NoSuchPlace):
    """An override names a field that this model does not have."""

    def __init__(self, override: Override, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.override = override


class _NoGroup(Exception):
    """A name stands below a value."""


class Override(msgspec.Struct, frozen=True):
    """One ``--set``: which preset it edits, where, and the value as text."""

    kind: str
    path: str
    value: str
    text: str


def current_place(place: str) -> str:
    """Return the name of today of a place, which may be one of 0.1.0."""
    for former, current in FORMER_PLACES.items():
        if place.startswith(former):
            return current + place.removeprefix(former)
    return place


def describe(text: str) -> str:
    """Return user text shortened and without control characters, for a message."""
    return quote(text)[1:-1]


def parse_overrides(texts: Sequence[str]) -> tuple[Override, ...]:
    """Read ``NAME=VALUE`` texts.

    Raises
    ------
    UsageError
        If a text has no ``=`` or no name, is too long, or gives a field another value than one
        before it. A text that is repeated counts once.
    """
    found: dict[tuple[str, str], Override] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = current_place(name.strip())
        if len(text) > LONGEST:
            raise UsageError(f"--set {quote(text)}: more than {LONGEST} characters")
        if not equals or not name:
            raise UsageError(
                f"--set {quote(text)}: expected NAME=VALUE",
                "for example --set num_experts_per_tok=4",
            )
        kind, dot, rest = name.partition(".")
        if not (dot and kind in OTHER_KINDS):
            kind, rest = "model", name.removeprefix("model.")
        first = found.setdefault((kind, rest), Override(kind, rest, value, text))
        if first.value.strip() != value.strip():
            raise UsageError(
                f"--set gives {quote(name)} twice with different values: {quote(first.text)} and "
                f"{quote(text)}",
                "a field takes one value: leave out the others",
            )
    return tuple(found.values())


def apply_overrides(
    kind: str, data: dict[str, Any], overrides: Sequence[Override]
) -> tuple[dict[str, Any], dict[PathInData, str]]:
    """Return the data with the overrides put in, and which paths each of them changed.

    Raises
    ------
    UsageError
        If an override's name leads nowhere.
    InvalidOverride
        If its value is not a YAML value.
    """
    places: dict[PathInData, str] = {}
    if not overrides:
        return data, places
    for override in overrides:
        value = _value(override)
        paths = list(_targets(kind, data, override))
        for path in paths:
            try:
                data = _put(data, path, value)
            except _NoGroup as error:
                group = override.text.partition("=")[0].rpartition(f".{error.args[0]}")[0]
                raise NoSuchPlace(
                    f"--set {quote(override.text)}: {describe(group)} is a value, not a group of "
                    f"fields",
                    f"--set {group}=VALUE",
                ) from None
            places[path] = override.text
    return data, places


def _value(override: Override) -> Any:
    if not override.value:
        return ""
    form = "json" if re.fullmatch(_INTEGER, override.value) else "yaml"
    try:
        return Source(f"--set {override.text}", override.value, form).data
    except InvalidInput as error:
        raise InvalidOverride(error.problems) from None


def _targets(kind: str, data: dict[str, Any], override: Override) -> Iterator[PathInData]:
    parts: list[str | int] = [
        int(part) if re.fullmatch(r"[0-9]{1,5}", part) else part
        for part in override.path.split(".")
    ]
    head = parts[0]
    if kind != "model" or head in _model_fields() or (head in data and head != "name"):
        yield tuple(parts)
        return
    found = False
    known: set[str] = set(_model_fields())
    for index, group in enumerate(_groups(data)):
        for inside in _PARTS:
            part = group.get(inside)
            fields = _fields(inside, part.get("type") if isinstance(part, dict) else None)
            known |= fields
            if head in fields or (head == inside and len(parts) > 1):
                tail = parts if head in fields else parts[1:]
                if head == inside and tail[0] not in fields:
                    continue
                found = True
                yield ("groups", index, inside, *tail)
            elif inside == "attention" and head in _indexer_fields(part):
                found = True
                yield ("groups", index, inside, "indexer", *parts)
        if head in ("layers", "block_norms"):
            found = True
            yield ("groups", index, *parts)
    if not found:
        raise UnknownField(
            override,
            f"--set {quote(override.text)}: {describe(str(data.get('name')))} has no field "
            f"'{describe(override.path)}'",
            did_you_mean(
                str(parts[-1] if head in _PARTS else head),
                known,
                "dsv3calc presets show MODEL lists the fields",
            ),
        )


def _groups(data: dict[str, Any]) -> list[dict[str, Any]]:
    groups = data.get("groups")
    return (
        [group for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
    )


def _model_fields() -> tuple[str, ...]:
    from dsv3calc.schema.model import Model

    return Model.__struct_fields__


def _fields(inside: str, tag: object) -> set[str]:
    from dsv3calc.schema.model import struct_of

    struct = struct_of(inside, tag)
    return set(struct.__struct_fields__) if struct is not None else set()


def _indexer_fields(part: object) -> set[str]:
    if isinstance(part, dict) and isinstance(part.get("indexer"), dict):
        from dsv3calc.schema.sparse_attention import Indexer

        return set(Indexer.__struct_fields__)
    return set()


def _put(data: Any, path: PathInData, value: object) -> Any:
    """Return a copy of the data with one value replaced; a missing mapping is made."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(data, list):
        if not isinstance(head, int) or head >= len(data):
            raise NoSuchPlace(
                f"--set: there is no element {describe(str(head))} in a list of {len(data)}",
                "elements are numbered from 0",
            )
        return [_put(item, rest, value) if i == head else item for i, item in enumerate(data)]
    if data is None or isinstance(data, dict):
        below = dict(data or {})
        below[str(head)] = _put(below.get(str(head)), rest, value)
        return below
    raise _NoGroup(head)
