"""Strict YAML and JSON with positions: text in, plain data out, or all the problems found.

PyYAML alone reads ``1e6`` as a text, ``1:30`` as 90, ``no`` as false and keeps the last of two
equal keys. Here libyaml's parser delivers events, and one loop without recursion turns them into
data under the YAML 1.2 core schema, refusing what a number file has no use for: anchors, aliases,
merge keys, tags, several documents, NaN and infinities, nesting beyond ``DEEPEST`` and numbers
beyond ``LONGEST_NUMBER`` digits. JSON goes through the same loop. Keys are texts as written.

Positions cost nothing until one is asked for: then the text is read a second time.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from dsv3calc.diagnostics import Problem, quote, suggest
from dsv3calc.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1024**2  # bytes of one input; a preset has some ten thousand
DEEPEST = 64  # levels of nesting
LONGEST_NUMBER = 40  # characters of one number
MOST_PROBLEMS = 50  # reported of one text

PathInData = tuple[str | int, ...]

# What the loop over events knows: the kind of event, its value, line and column from 0.
# A plain scalar is a text whose meaning depends on where it stands: a key stays a text.
_MAP, _LIST, _END, _SCALAR, _PLAIN = "{", "[", "}", "value", "plain"
_Event = tuple[str, Any, int, int]


def dotted(path: PathInData) -> str:
    """Return a path as people write it: ``layers[2].attention``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


class Position(msgspec.Struct, frozen=True):
    """A place in a text; ``line`` and ``column`` count from 1, in characters."""

    line: int
    column: int


class Source:
    """One input text and its name, with its data and the positions in it.

    ``form`` is "yaml" or "json", by the name's ending unless given; ``parse_yaml`` and
    ``parse_json`` set it.
    """

    __slots__ = ("_data", "_lines", "_parsed", "_places", "form", "largest", "name", "text")

    def __init__(self, name: str, text: str, form: str = "", largest: int = LARGEST) -> None:
        self.name = name
        self.text = text.removeprefix("\ufeff")
        self.form = form or ("json" if name.lower().endswith(".json") else "yaml")
        self.largest = largest
        self._data: object = None
        self._parsed = False
        self._lines: list[str] | None = None
        self._places: dict[PathInData, tuple[Position, Position]] | None = None

    @property
    def data(self) -> object:
        """The text as plain data: dict, list, str, int, float, bool, None; read once.

        Raises
        ------
        InvalidInput
            With every problem of the text.
        """
        if not self._parsed:
            self._data = _build(self, None)
            self._parsed = True
        return self._data

    def position(self, path: PathInData, *, key: bool = False) -> Position:
        """Return where the value at a path stands, or with ``key`` where its key does.

        A path that is not in the text gives the place of its nearest ancestor (its key).
        """
        if self._places is None:
            self._places = {}
            with suppress(InvalidInput):  # the places found so far are still right
                _build(self, self._places)
        place = self._places.get(path)
        while place is None and path:
            path, key = path[:-1], True
            place = self._places.get(path)
        if place is None:
            return Position(1, 1)
        return place[1 if key else 0]

    def line(self, number: int) -> str:
        """Return a line of the text, counted from 1; empty outside of it."""
        if self._lines is None:
            self._lines = self.text.split("\n")
        if not 1 <= number <= len(self._lines):
            return ""
        return self._lines[number - 1].rstrip("\r")

    def problem(self, position: Position | None, what: str, **more: str) -> Problem:
        """Return a problem at a place of this text, the source line quoted."""
        if position is None:
            return Problem(self.name, None, None, what, **more)
        text = self.line(position.line)
        # an excerpt is all that is ever shown
        shown = text if len(text) < 10_000 else ""  # noqa: PLR2004 - a line of a hostile file
        return Problem(self.name, position.line, position.column, what, source_line=shown, **more)


def parse_yaml(source: Source) -> object:
    """Return the data of a YAML text.

    Raises
    ------
    InvalidInput
        With every problem of the text.
    """
    return _parse_as(source, "yaml")


def parse_json(source: Source) -> object:
    """Return the data of a JSON text.

    Raises
    ------
    InvalidInput
        With every problem of the text.
    """
    return _parse_as(source, "json")


def _parse_as(source: Source, form: str) -> object:
    if source.form != form:
        source.form, source._parsed, source._places = form, False, None  # noqa: SLF001
    return source.data


# --- reading --------------------------------------------------------------------------------


def read_source(path: Path | str, largest: int = LARGEST) -> Source:
    """Read a file, or standard input for ``-``, as UTF-8 text of at most ``largest`` bytes.

    Raises
    ------
    InvalidInput
        For whatever is not such a file: missing, unreadable, a directory or a device, too large,
        not UTF-8, with control characters, empty.
    """
    name = str(path)
    if name == "-":
        name = "<stdin>"
        content = _read_stdin(largest)
    else:
        content = _read_file(name, largest)
    if len(content) > largest:
        _refuse_file(name, "the input is too large", valid=f"at most {largest >> 20} MiB")
    if not content.strip():
        _refuse_file(name, "the input is empty")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        _refuse_file(name, "the input is UTF-16, not UTF-8", next="save it as UTF-8")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"not UTF-8: byte {error.start} is 0x{content[error.start]:02x}"
        raise InvalidInput([Problem(name, line, None, what, next="save it as UTF-8")]) from None
    return Source(name, text, largest=largest)


def _refuse_file(name: str, what: str, **more: str) -> NoReturn:
    raise InvalidInput([Problem(name, None, None, what, **more)])


def _read_stdin(largest: int) -> bytes:
    if sys.stdin is None:
        _refuse_file("<stdin>", "standard input is closed")
    try:
        return sys.stdin.buffer.read(largest + 1)
    except (OSError, ValueError) as error:
        _refuse_file("<stdin>", f"cannot read standard input: {error}")


def _read_file(name: str, largest: int) -> bytes:
    try:
        _check_mode(
            name, Path(name).stat(), largest
        )  # before opening: to open a device may act on it
        # what was a file may be a FIFO by now: an open that does not wait, and another look
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(name, flags), "rb", buffering=0) as file:
            _check_mode(name, os.fstat(file.fileno()), largest)
            chunks, size = [], 0
            while size <= largest and (chunk := file.read(largest + 1 - size)):
                chunks.append(chunk)
                size += len(chunk)
            return b"".join(chunks)
    except FileNotFoundError:
        _refuse_file(name, "no such file", suggestion=_neighbour(name))
    except PermissionError:
        _refuse_file(name, "no permission to read the file")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        _refuse_file(name, f"cannot read the file: {reason}")


def _check_mode(name: str, status: os.stat_result, largest: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        _refuse_file(name, "this is a directory, not a file")
    if not stat.S_ISREG(status.st_mode):
        _refuse_file(name, "not a regular file", next="pipe it in and name the file -")
    if status.st_size > largest:
        what = f"the file is too large: {status.st_size:,} bytes"
        _refuse_file(name, what, valid=f"at most {largest >> 20} MiB")


def _neighbour(name: str) -> str:
    """Return the file of the same folder whose name is nearest, or an empty text."""
    path = Path(name)
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry, _ in zip(entries, range(1000), strict=False)]
    except (OSError, ValueError):
        return ""
    close = suggest(path.name, sorted(names))
    return str(path.with_name(close)) if close else ""


# --- the loop over events -------------------------------------------------------------------

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


class _Stop(Exception):
    """Reading cannot go on."""

    def __init__(self, line: int, column: int, what: str, **more: str) -> None:
        super().__init__(what)
        self.line, self.column, self.what, self.more = line, column, what, more


class _Trouble:
    """The problems found so far in one text."""

    __slots__ = ("problems", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def add(self, line: int, column: int, what: str, **more: str) -> None:
        """Note a problem at a line and column from 0; past ``MOST_PROBLEMS``, stop reading."""
        place = Position(line + 1, column + 1)
        self.problems.append(self.source.problem(place, what, **more))
        if len(self.problems) >= MOST_PROBLEMS:
            raise InvalidInput(self.problems)


def _build(source: Source, places: dict[PathInData, tuple[Position, Position]] | None) -> object:
    """Return the data of a text; with ``places`` note where each value and its key stand."""
    trouble = _Trouble(source)
    data: object = None
    try:
        _check_characters(source)
        events = (
            _json_events(source, trouble)
            if source.form == "json"
            else _yaml_events(source, trouble)
        )
        data = _collect(events, trouble, places)
    except _Stop as stop:
        place = Position(stop.line + 1, stop.column + 1)
        trouble.problems.append(source.problem(place, stop.what, **stop.more))
    if trouble.problems:
        raise InvalidInput(trouble.problems)
    return data


def _check_characters(source: Source) -> None:
    if not source.text.strip():
        raise _Stop(0, 0, "the input is empty")
    if len(source.text) > source.largest:
        raise _Stop(0, 0, "the input is too large", valid=f"at most {source.largest >> 20} MiB")
    found = _CONTROL.search(source.text)
    if found:
        line, column = _line_column(source.text, found.start())
        what = f"control character U+{ord(found.group()):04X}"
        raise _Stop(line, column, what, why="such a file may be binary, or hide what it says")
    # YAML breaks lines at these, editors do not: the lines of messages would be wrong
    found = re.search("\r(?!\n)|[\x85\u2028\u2029]", source.text)
    if found and source.form == "yaml":
        line, column = _line_column(source.text, found.start())
        raise _Stop(line, column, f"unusual line break U+{ord(found.group()):04X}")


def _line_column(text: str, offset: int) -> tuple[int, int]:
    line = text.count("\n", 0, offset)
    return line, offset - (text.rfind("\n", 0, offset) + 1)


def _collect(
    events: Iterator[_Event],
    trouble: _Trouble,
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
        if kind == _END:
            container, key, keys, path = outer.pop()
            is_map = type(container) is dict
            continue
        if is_map and key is None:
            key = _key(kind, value, line, column, path, keys, trouble)
            keys.setdefault(key, (line, column))
            continue
        is_scalar = kind in (_SCALAR, _PLAIN)
        if kind == _PLAIN:
            made: Any = _resolve(value, line, column, trouble)
        elif kind == _SCALAR:
            made = value
        else:
            made = {} if kind == _MAP else []
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
            raise _Stop(line, column, f"nested more than {DEEPEST} levels deep")
        outer.append((container, None, keys, path))
        container, key, keys, path = made, None, {}, inner
        is_map = kind == _MAP
    return root[0] if root else None


def _key(
    kind: str,
    value: Any,
    line: int,
    column: int,
    path: PathInData,
    keys: dict[str, tuple[int, int]],
    trouble: _Trouble,
) -> str:
    if kind not in (_SCALAR, _PLAIN):
        raise _Stop(line, column, "a key must be a plain word, not a list or mapping")
    key = str(value)
    if kind == _PLAIN and key in ("", "<<"):
        what = "merge keys are not allowed" if key else "a key is missing"
        trouble.add(line, column, what, why=_ONE_PLACE if key else "")
    if key in keys:
        first = keys[key]
        trouble.add(
            line,
            column,
            f"duplicate key {quote(key)}",
            path=dotted((*path, key)),
            why=f"it stands already at line {first[0] + 1}, column {first[1] + 1};"
            " which of the two values is meant cannot be known",
        )
    return key


# --- YAML -----------------------------------------------------------------------------------

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
_ONE_PLACE = "each value stands where it is used, so that it can be read and cited there"


def _yaml_events(source: Source, trouble: _Trouble) -> Iterator[_Event]:
    import yaml

    parser = yaml.CSafeLoader(source.text)
    try:
        yield from _translate(parser, yaml, trouble)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        line, column = _inside(source.text, line, column)
        why = f"{error.context} at line {error.context_mark.line + 1}" if error.context_mark else ""
        if source.line(line + 1)[column : column + 1] == "\t":
            why = "YAML is indented with spaces, never with tabs"
        raise _Stop(line, column, f"not YAML: {error.problem or error.context}", why=why) from None
    except yaml.YAMLError as error:
        raise _Stop(0, 0, f"not YAML: {str(error).splitlines()[0]}") from None
    finally:
        parser.dispose()


def _inside(text: str, line: int, column: int) -> tuple[int, int]:
    """Bring the place after the last line, where the parser missed something, into the text."""
    if line and line >= text.count("\n") + (not text.endswith("\n")):
        return _line_column(text, len(text.rstrip("\n")))
    return line, column


def _translate(parser: Any, yaml: Any, trouble: _Trouble) -> Iterator[_Event]:
    """Turn libyaml's events into those of this module, refusing what they may not hold."""
    scalar, mapping, sequence = yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent
    ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
    started = False
    while True:
        event = parser.get_event()
        kind = event.__class__
        mark = event.start_mark
        if kind is scalar or kind is mapping or kind is sequence:
            if event.anchor is not None or event.tag is not None:
                _refuse_extras(event, mark, trouble)
            if kind is scalar:
                yield _SCALAR if event.style else _PLAIN, event.value, mark.line, mark.column
            else:
                yield _MAP if kind is mapping else _LIST, None, mark.line, mark.column
        elif kind in ends:
            yield _END, None, 0, 0
        elif kind is yaml.AliasEvent:
            what = f"the alias {quote('*' + event.anchor)} is not allowed"
            trouble.add(mark.line, mark.column, what, why=_ONE_PLACE)
            yield _SCALAR, f"*{event.anchor}", mark.line, mark.column
        elif kind is yaml.DocumentStartEvent:
            _check_document(event, mark, started=started)
            started = True
        elif kind is yaml.StreamEndEvent:
            if not started:
                raise _Stop(0, 0, "the input holds no data, only comments")
            return


def _check_document(event: Any, mark: Any, *, started: bool) -> None:
    if event.version not in (None, (1, 2)):
        what = "another version of YAML is asked for here"
        raise _Stop(mark.line, mark.column, what, valid="YAML 1.2, or no directive")
    if started:
        raise _Stop(mark.line, mark.column, "a second document begins here", valid="one document")


def _refuse_extras(event: Any, mark: Any, trouble: _Trouble) -> None:
    if event.anchor is not None:
        what = f"the anchor {quote('&' + event.anchor)} is not allowed"
        trouble.add(mark.line, mark.column, what, why=_ONE_PLACE)
    if event.tag is not None:
        what = f"the tag {quote(event.tag)} is not allowed"
        trouble.add(mark.line, mark.column, what, why="the schema alone says what a value is")


def _resolve(text: str, line: int, column: int, trouble: _Trouble) -> object:
    """Return what a plain scalar means under the YAML 1.2 core schema."""
    if text[:1] not in _INITIALS:
        return _WORDS.get(text, text)
    integer = _INTEGER.fullmatch(text)
    if integer or _FLOAT.fullmatch(text):
        return _number(text, integer is not None, line, column, trouble)
    if _BASED.fullmatch(text):
        if len(text) > LONGEST_NUMBER:
            return _number(text, is_integer=True, line=line, column=column, trouble=trouble)
        return int(text[2:], 8 if text[1] == "o" else 16)
    if _NOT_FINITE.fullmatch(text):
        trouble.add(line, column, f"{text} is not a number a model can use")
        return 0
    return text


def _number(text: str, is_integer: bool, line: int, column: int, trouble: _Trouble) -> int | float:  # noqa: FBT001
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


# --- JSON -----------------------------------------------------------------------------------

# patterns of JSON are compiled where they are used: most runs read none
_JSON_GRAMMAR = (
    r'(?P<mark>[\[\]{}:,])|(?P<text>"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?P<real>(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?))(?![\w.+-])"
    r"|(?P<word>true|false|null)(?!\w)"
)
_JSON_WORDS = {"true": True, "false": False, "null": None}
# what may come next: a value, also the end of a list; a key, also the end of a mapping; …
_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COLON, _COMMA_OR_END, _NOTHING = range(7)
_JSON_EXPECTED = (
    "a value",
    "a value or ]",
    'a key in "quotes"',
    'a key in "quotes" or }',
    ":",
    "a comma or the closing bracket",
    "the end of the text",
)


def _json_events(source: Source, trouble: _Trouble) -> Iterator[_Event]:
    text = source.text
    match_space = re.compile(r"[ \t\n\r]*").match
    match_token = re.compile(_JSON_GRAMMAR, re.ASCII).match
    offset, line, line_start = 0, 0, 0
    brackets: list[str] = []
    expected = _VALUE
    while True:
        space = match_space(text, offset)
        blank = space.group() if space else ""
        if "\n" in blank:
            line += blank.count("\n")
            line_start = offset + blank.rfind("\n") + 1
        offset += len(blank)
        column = offset - line_start
        if offset >= len(text):
            if expected == _NOTHING:
                return
            what = f"not JSON: the text ends where {_JSON_EXPECTED[expected]} is expected"
            raise _Stop(line, column, what, why="the file may be truncated")
        token = match_token(text, offset)
        if token is None or not _json_fits(token, expected, brackets):
            raise _json_stop(text, offset, line, column, _JSON_EXPECTED[expected])
        mark = token["mark"]
        offset = token.end()
        if mark in ("{", "["):
            brackets.append("}" if mark == "{" else "]")
            expected = _KEY_OR_END if mark == "{" else _VALUE_OR_END
            yield mark, None, line, column
        elif mark in (":", ","):
            expected = _KEY if mark == "," and brackets[-1] == "}" else _VALUE
        else:
            if mark:
                brackets.pop()
                yield _END, None, line, column
            else:
                yield _SCALAR, _json_scalar(token, line, column, trouble), line, column
            after = _COMMA_OR_END if brackets else _NOTHING
            expected = _COLON if not mark and expected in (_KEY, _KEY_OR_END) else after


def _json_fits(token: re.Match[str], expected: int, brackets: list[str]) -> bool:
    mark = token["mark"]
    if expected == _COLON:
        return mark == ":"
    if expected == _COMMA_OR_END:
        return mark in (",", brackets[-1])
    if expected in (_KEY, _KEY_OR_END):
        return token["text"] is not None or (expected == _KEY_OR_END and mark == "}")
    if expected == _VALUE_OR_END and mark == "]":
        return True
    return expected != _NOTHING and (mark is None or mark in "{[")


def _json_stop(text: str, offset: int, line: int, column: int, expected: str) -> _Stop:
    """Say what stands where something else is expected."""
    word = re.match(r"[-+]?[\w.+-]+", text[offset : offset + 2 * LONGEST_NUMBER], re.ASCII)
    found = quote(word.group() if word else text[offset])
    why = ""
    if word and word.group().lstrip("-+").lower() in ("nan", "infinity"):
        return _Stop(line, column, f"{word.group()} is not a number a model can use")
    if text[offset] in "}]" and "value" in expected:
        why = "JSON allows no comma before a closing bracket"
    if text[offset] == '"' and expected != "a comma or the closing bracket":
        why = "the text in quotes does not end on its line"
    return _Stop(line, column, f"not JSON: {found} where {expected} is expected", why=why)


def _json_scalar(token: re.Match[str], line: int, column: int, trouble: _Trouble) -> object:
    kind, text = token.lastgroup, token.group()
    if kind == "word":
        return _JSON_WORDS[text]
    if kind == "text":
        if "\\" not in text:
            return text[1:-1]
        try:
            return msgspec.json.decode(text, type=str)
        except (msgspec.MsgspecError, UnicodeError):
            raise _Stop(line, column, "not JSON: a wrong escape in this text") from None
    return _number(text, not token["real"], line, column, trouble)
