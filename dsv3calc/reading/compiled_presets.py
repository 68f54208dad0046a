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

_SIZE = 4  # bytes that the size of the index takes

MISSING: Any = object()
"""What :func:`find` returns for a text that was not compiled."""

_Index = dict[bytes, tuple[int, int]]
"""Digest of a text -> where its data begin and end, counted from the end of the index."""


def find(text: str) -> Any:
    """Return the data compiled from exactly this text, or :data:`MISSING`."""
    with suppress(OSError, msgspec.MsgspecError), open(FILE, "rb") as file:
        size = int.from_bytes(file.read(_SIZE), "big")
        place = msgspec.msgpack.decode(file.read(size), type=_Index).get(_digest(text))
        if place is not None:
            file.seek(_SIZE + size + place[0])
            return msgspec.msgpack.decode(file.read(place[1] - place[0]))
    return MISSING


def compiled(texts: Iterable[str], parse: Callable[[str], object]) -> bytes:
    """Return the content of a compiled file of these YAML texts: size of the index, index, data."""
    index: _Index = {}
    data = b""
    for text in texts:
        begin = len(data)
        data += msgspec.msgpack.encode(parse(text))
        index[_digest(text)] = begin, len(data)
    head = msgspec.msgpack.encode(index)
    return len(head).to_bytes(_SIZE, "big") + head + data


def texts_of(folder: str) -> list[str]:
    """Return the texts of all YAML files of a folder and the folders in it."""
    found = []
    for directory, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".yaml"):
                with open(os.path.join(directory, name), encoding="utf-8", newline="") as file:
                    found.append(file.read())
    return sorted(found)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
