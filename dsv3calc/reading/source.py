"""Strict YAML and JSON with positions: text in, plain data out, or all the problems found.

``yaml_events`` and ``json_events`` turn a text into events, ``event_builder`` events into data;
they are imported when the first data are asked for. What a number file has no use for is refused:
anchors, aliases, merge keys, tags, several documents, NaN and infinities, nesting beyond
``DEEPEST`` and numbers beyond ``LONGEST_NUMBER`` digits.

Data of a shipped file come from ``compiled_presets``, and nothing is parsed. Positions cost nothing
until one is asked for: then the text is parsed for them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from dsv3calc.errors import InvalidInput
from dsv3calc.reading.compiled_presets import MISSING, find
from dsv3calc.reading.diagnostics import Problem, suggest
from dsv3calc.reading.text import LARGEST, LARGEST_JSON, MOST_COMMAS, PathInData, Position, Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Source(Text):
    """A text with its data and positions; ``parse_json`` sets its form."""

    __slots__ = ("_data", "_parsed", "_places")

    def __init__(self, name: str, text: str, form: str = "", largest: int = LARGEST) -> None:
        super().__init__(name, text, form, largest)
        self._data: object = None
        self._parsed = False
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
            found = find(self.text) if self.form == "yaml" else MISSING
            self._data = parsed(self) if found is MISSING else found
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


def parsed(source: Source) -> object:
    """Return the data of a text by parsing it, whether or not it was compiled.

    Raises
    ------
    InvalidInput
        With every problem of the text.
    """
    return _build(source, None)


def parse_json(source: Source, *, not_finite: bool = False) -> object:
    """Return the data of a JSON text, as Python writes it with ``not_finite``: NaN, Infinity.

    Raises
    ------
    InvalidInput
        With every problem of the text.
    """
    if (source.form, source.not_finite) != ("json", not_finite):
        source.form, source.not_finite = "json", not_finite
        source._parsed, source._places = False, None  # noqa: SLF001
    return source.data


def _build(source: Source, places: dict[PathInData, tuple[Position, Position]] | None) -> object:
    """Return the data of a text; with ``places`` note where each value and its key stand."""
    from dsv3calc.reading.event_builder import build

    if source.form == "json":
        from dsv3calc.reading.json_events import json_events as events
    else:
        from dsv3calc.reading.yaml_events import yaml_events as events
    return build(source, events, places)


# --- reading --------------------------------------------------------------------------------


def read_source(path: Path | str, largest: int | None = None) -> Source:
    """Read a file, or standard input for ``-``, as UTF-8 text of at most ``largest`` bytes.

    Without ``largest``, a JSON text may be longer than another.

    Raises
    ------
    InvalidInput
        For whatever is not such a file: missing, unreadable, a directory or a device, too large,
        not UTF-8, with control characters, empty.
    """
    name = str(path)
    if name == "-":
        name = "<stdin>"
        content = _read_stdin(largest or LARGEST_JSON)
        is_json = content.lstrip()[:1] == b"{"
    else:
        is_json = name.lower().endswith(".json")
        content = _read_file(name, largest or (LARGEST_JSON if is_json else LARGEST))
    if largest is None:
        largest = LARGEST_JSON if is_json else LARGEST
        if content.count(b",") > MOST_COMMAS:
            _refuse_file(name, "the input holds too many values", valid=f"at most {MOST_COMMAS:,}")
    if len(content) > largest:
        _refuse_file(name, "the input is too large", valid=f"at most {largest >> 10:,} KiB")
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


def read_lines(path: Path | str) -> Iterator[bytes]:
    """Read a file of any size, or standard input for ``-``, line by line.

    Raises
    ------
    InvalidInput
        For whatever is not such a file: missing, unreadable, a directory or a device; and at a line
        of more than ``LARGEST`` bytes.
    """
    name = str(path)
    if name != "-":
        with _opened(name, None) as file:
            yield from _lines(name, file)
    elif sys.stdin is None:
        _refuse_file("<stdin>", "standard input is closed")
    else:
        _read_once[:] = [(sys.stdin, b"")]  # nothing is left for a preset that is called -
        yield from _lines("<stdin>", sys.stdin.buffer)


def _lines(name: str, file: BinaryIO) -> Iterator[bytes]:
    number = 0
    while line := file.readline(LARGEST + 1):
        number += 1
        if len(line) > LARGEST:
            what = "the line is too long"
            raise InvalidInput(
                [Problem(name, number, None, what, valid=f"at most {LARGEST >> 10:,} KiB")]
            )
        yield line


def _refuse_file(name: str, what: str, **more: str) -> NoReturn:
    raise InvalidInput([Problem(name, None, None, what, **more)])


_read_once: list[tuple[object, bytes]] = []


def _read_stdin(largest: int) -> bytes:
    """Read standard input, or what was read of it before: it can be read but once."""
    if sys.stdin is None:
        _refuse_file("<stdin>", "standard input is closed")
    if not _read_once or _read_once[0][0] is not sys.stdin:
        try:
            _read_once[:] = [(sys.stdin, sys.stdin.buffer.read(largest + 1))]
        except (OSError, ValueError) as error:
            _refuse_file("<stdin>", f"cannot read standard input: {error}")
    return _read_once[0][1]


def _read_file(name: str, largest: int) -> bytes:
    with _opened(name, largest) as file:
        chunks, size = [], 0
        while size <= largest and (chunk := file.read(largest + 1 - size)):
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks)


@contextmanager
def _opened(name: str, largest: int | None) -> Iterator[BinaryIO]:
    """Open a regular file of at most ``largest`` bytes, or say why it cannot be read."""
    if "\0" in name:
        _refuse_file(name, "cannot read the file: its name holds a NUL character")
    try:
        _check_mode(name, os.stat(name), largest)  # before opening: to open a device may act on it
        # what was a file may be a FIFO by now: an open that does not wait, and another look
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(name, flags), "rb") as file:
            _check_mode(name, os.fstat(file.fileno()), largest)
            yield file
    except FileNotFoundError:
        _refuse_file(name, "no such file", suggestion=_neighbour(name))
    except PermissionError:
        _refuse_file(name, "no permission to read the file")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        _refuse_file(name, f"cannot read the file: {reason}")


def _check_mode(name: str, status: os.stat_result, largest: int | None) -> None:
    if stat.S_ISDIR(status.st_mode):
        _refuse_file(name, "this is a directory, not a file")
    if not stat.S_ISREG(status.st_mode):
        _refuse_file(name, "not a regular file", next="pipe it in and name the file -")
    if largest is not None and status.st_size > largest:
        what = f"the file is too large: {status.st_size:,} bytes"
        _refuse_file(name, what, valid=f"at most {largest >> 10:,} KiB")


def _neighbour(name: str) -> str:
    """Return the file of the same folder whose name is nearest, or an empty text."""
    folder, base = os.path.split(name)
    try:
        with os.scandir(folder or os.curdir) as entries:
            names = [entry.name for entry, _ in zip(entries, range(1000), strict=False)]
    except (OSError, ValueError):
        return ""
    close = suggest(base, sorted(names))
    return os.path.join(folder, close).removeprefix(f".{os.sep}") if close else ""
