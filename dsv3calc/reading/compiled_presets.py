"""The shipped YAML files as data that need no parser: one file, written when the package is built.

Data are found by the digest of the text that they were parsed from, so a file that was changed, and
any file of a user, is parsed. Where the compiled file is missing every file is.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

try:
    from _blake2 import blake2b  # what hashlib has, without loading OpenSSL on every query
except ImportError:  # another Python
    from hashlib import blake2b

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FILE = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "presets.msgpack"
)
"""Where the compiled file is written and looked for."""

_FORMAT = b"offsets in rows"
"""Part of each digest, so that nothing is found in a file of another format."""

_DIGEST = 16  # bytes
_PLACE = 4  # bytes of each of the two numbers that say where data begin and end
_ROW = _DIGEST + 2 * _PLACE

MISSING: Any = object()
"""What :func:`find` returns for a text that was not compiled."""


def find(text: str, kind: str = "") -> Any:
    """Return the data compiled from exactly this text, or :data:`MISSING`.

    With a ``kind`` these are the fields of its struct (``schema.compiled``).
    """
    with suppress(OSError, msgspec.MsgspecError), open(FILE, "rb") as file:
        size = int.from_bytes(file.read(_PLACE), "big")
        index = file.read(size)
        digest = _digest(text, kind)
        at = index.find(digest)
        while at % _ROW and at >= 0:  # across two rows
            at = index.find(digest, at + 1)
        if at >= 0:
            row = index[at + _DIGEST : at + _ROW]
            begin, end = (int.from_bytes(part, "big") for part in (row[:_PLACE], row[_PLACE:]))
            file.seek(_PLACE + size + begin)
            return msgspec.msgpack.decode(file.read(end - begin))
    return MISSING


def compiled(
    texts: Iterable[str],
    parse: Callable[[str], object],
    structs: Iterable[tuple[str, str, object]] = (),
) -> bytes:
    """Return the content of a compiled file: size of the index, index, data.

    The index has the digest of each text, and where its data begin and end, counted from the end of
    the index. ``structs`` are texts with their kind and the fields of their struct.
    """
    index = data = b""
    for text, kind, value in (*((text, "", parse(text)) for text in texts), *structs):
        added = msgspec.msgpack.encode(value)
        ends = len(data), len(data) + len(added)
        index += _digest(text, kind) + b"".join(end.to_bytes(_PLACE, "big") for end in ends)
        data += added
    return len(index).to_bytes(_PLACE, "big") + index + data


def texts_of(folder: str) -> list[str]:
    """Return the texts of all YAML files of a folder and the folders in it."""
    found = []
    for directory, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".yaml"):
                with open(os.path.join(directory, name), encoding="utf-8", newline="") as file:
                    found.append(file.read())
    return sorted(found)


def _digest(text: str, kind: str) -> bytes:
    found = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST, person=_FORMAT)
    found.update(kind.encode())
    return found.digest()
