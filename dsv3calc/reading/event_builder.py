"""From the events of a YAML or JSON text to its data: one loop, without recursion.

Plain scalars are read under the YAML 1.2 core schema; keys are texts as written. Only ``source``
and the two modules that make events import this.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import InvalidInput
from dsv3calc.reading.diagnostics import Problem, quote
from dsv3calc.reading.text import (
    DEEPEST,
    LONGEST_NUMBER,
    MOST_PROBLEMS,
    PathInData,
    Position,
    Text,
    dotted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What the loop over events knows: the kind of event, its value, line and column from 0.
# A plain scalar is a text whose meaning depends on where it stands: a key stays a text.
MAP, LIST, END, SCALAR, PLAIN = "{", "[", "}", "value", "plain"
Event = tuple[str, Any, int, int]

ONE_PLACE = "write each value where it is used, so that it can be cited there"

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


class Stop(Exception):
    """Reading cannot go on."""

    def __init__(self, line: int, column: int, what: str, **more: str) -> None:
        super().__init__(what)
        self.line, self.column, self.what, self.more = line, column, what, more


class Trouble:
    """The problems found so far in one text."""

    __slots__ = ("problems", "source")

    def __init__(self, source: Text) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def add(self, line: int, column: int, what: str, **more: str) -> None:
        """Note a problem at a line and column from 0; past ``MOST_PROBLEMS``, stop reading."""
        place = Position(line + 1, column + 1)
        self.problems.append(self.source.problem(place, what, **more))
        if len(self.problems) >= MOST_PROBLEMS:
            raise InvalidInput(self.problems)


def build(
    source: Text,
    events: Callable[[Text, Trouble], Iterator[Event]],
    places: dict[PathInData, tuple[Position, Position]] | None,
) -> object:
    """Return the data of a text; with ``places`` note where each value and its key stand."""
    trouble = Trouble(source)
    data: object = None
    try:
        _check_characters(source)
        data = _collect(events(source, trouble), trouble, places)
    except Stop as stop:
        place = Position(stop.line + 1, stop.column + 1)
        trouble.problems.append(source.problem(place, stop.what, **stop.more))
    if trouble.problems:
        raise InvalidInput(trouble.problems)
    return data


def _check_characters(source: Text) -> None:
    if not source.text.strip():
        raise Stop(0, 0, "the input is empty")
    if len(source.text) > source.largest:
        raise Stop(0, 0, "the input is too large", valid=f"at most {source.largest >> 20} MiB")
    found = _CONTROL.search(source.text)
    if found:
        line, column = line_column(source.text, found.start())
        what = f"control character U+{ord(found.group()):04X}"
        raise Stop(line, column, what, why="such a file may be binary, or hide what it says")
    # YAML breaks lines at these, editors do not: the lines of messages would be wrong
    found = re.search("\r(?!\n)|[\x85\u2028\u2029]", source.text)
    if found and source.form == "yaml":
        line, column = line_column(source.text, found.start())
        raise Stop(line, column, f"unusual line break U+{ord(found.group()):04X}")


def line_column(text: str, offset: int) -> tuple[int, int]:
    """Return the line and column, from 0, of an offset into a text."""
    line = text.count("\n", 0, offset)
    return line, offset - (text.rfind("\n", 0, offset) + 1)


def _collect(
    events: Iterator[Event],
    trouble: Trouble,
    places: dict[PathInData, tuple[Position, Position]] | None,
) -> object:
    """Put the events together, without recursion."""
    root: list[Any] = []
    container: Any = root  # the open dict or list
    key: str | None = None  # of the open dict: the key whose value comes next
    outer: list[tuple[Any, str | None, dict[str, tuple[int, int]], PathInData]] = []
    keys: dict[str, tuple[int, int]] = {}  # of the open dict: where each key stands
    path: PathInData = ()  # of the open container
    is_map = False
    for kind, value, line, column in events:
        if kind == END:
            container, key, keys, path = outer.pop()
            is_map = type(container) is dict
            continue
        if is_map and key is None:
            key = _key(kind, value, line, column, path, keys, trouble)
            keys.setdefault(key, (line, column))
            continue
        is_scalar = kind in (SCALAR, PLAIN)
        if kind == PLAIN:
            made: Any = _resolve(value, line, column, trouble)
        elif kind == SCALAR:
            made = value
        else:
            made = {} if kind == MAP else []
        if is_map:
            step: str | int | None = key
            container[key] = made
            at = keys[key]  # type: ignore[index] # a dict waits for a key first
        else:
            step = len(container) if container is not root else None
            container.append(made)
            at = (line, column)
        inner = path if step is None else (*path, step)
        if places is not None and inner not in places:
            places[inner] = Position(line + 1, column + 1), Position(at[0] + 1, at[1] + 1)
        if is_scalar:
            key = None
            continue
        if len(outer) >= DEEPEST:
            raise Stop(line, column, f"nested more than {DEEPEST} levels deep")
        outer.append((container, None, keys, path))
        container, key, keys, path = made, None, {}, inner
        is_map = kind == MAP
    return root[0] if root else None


def _key(
    kind: str,
    value: Any,
    line: int,
    column: int,
    path: PathInData,
    keys: dict[str, tuple[int, int]],
    trouble: Trouble,
) -> str:
    if kind not in (SCALAR, PLAIN):
        raise Stop(line, column, "a key must be a plain word, not a list or mapping")
    key = str(value)
    if kind == PLAIN and key in ("", "<<"):
        what = "merge keys are not allowed" if key else "a key is missing"
        trouble.add(line, column, what, why=ONE_PLACE if key else "")
    if key in keys:
        first = keys[key]
        trouble.add(
            line,
            column,
            f"duplicate key {quote(key)}",
            path=dotted((*path, key)),
            why=f"the first one is at line {first[0] + 1}, column {first[1] + 1}",
        )
    return key


# --- scalars ------------------------------------------------------------------------------

_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_WORDS = {"": None, "~": None} | {
    form: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for form in (word, word.capitalize(), word.upper())
}
_INITIALS = frozenset("-+.0123456789")


def _resolve(text: str, line: int, column: int, trouble: Trouble) -> object:
    """Return what a plain scalar means under the YAML 1.2 core schema."""
    if text[:1] not in _INITIALS:
        return _WORDS.get(text, text)
    integer = _INTEGER.fullmatch(text)
    if integer or _FLOAT.fullmatch(text):
        return number(text, integer is not None, line, column, trouble)
    if _BASED.fullmatch(text):
        if len(text) > LONGEST_NUMBER:
            return number(text, is_integer=True, line=line, column=column, trouble=trouble)
        return int(text[2:], 8 if text[1] == "o" else 16)
    if _NOT_FINITE.fullmatch(text):
        trouble.add(line, column, f"{text} is not a number a model can use")
        return 0
    return text


def number(text: str, is_integer: bool, line: int, column: int, trouble: Trouble) -> int | float:  # noqa: FBT001
    """Return the number that a scalar is; note it where it is too long or too large."""
    if len(text) > LONGEST_NUMBER:
        what = f"a number of {len(text)} characters"
        trouble.add(line, column, what, valid=f"at most {LONGEST_NUMBER}")
        return 0
    if is_integer:
        return int(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        trouble.add(line, column, f"{text} is too large")
        return 0
    return value
