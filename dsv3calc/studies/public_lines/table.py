"""The lines that users may rely on: their names and units do not change.

Every other line of a ledger shows how these are made, and may change with the accounting. Only the
module that declares lines of an answer is imported.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.studies.public_lines.placeholders import PLACEHOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_WORDS = {
    "designs": "parameters weights flops roofline ratio_to_baseline kv_cache state which",
    "memory": "memory megatron",
    "search": "search",
    "serving": "serving serve host",
    "traffic": "traffic limits network",
    "times": "time train failures",
    "scores": "reproduce validate calibrate",
}
"""Module of this folder -> the first words of the names that it declares."""
MODULES = {word: module for module, words in FIRST_WORDS.items() for word in words.split()}


class PublicLine(msgspec.Struct, frozen=True):
    """A line, or the lines of a pattern: the unit, the meaning, the commands that give it."""

    pattern: str
    unit: str
    meaning: str
    commands: tuple[str, ...]


_PLACEHOLDER = re.compile(r"[A-Z]{2,}|\bN\b")


@cache
def _lines_of(module: str) -> tuple[PublicLine, ...]:
    """Return the lines that one module declares."""
    declared = import_module(f"dsv3calc.studies.public_lines.{module}").LINES
    return tuple(
        PublicLine(pattern, unit, meaning, tuple(commands.split(", ")))
        for commands, rows in declared.items()
        for pattern, unit, meaning in rows
    )


def all_lines() -> tuple[PublicLine, ...]:
    """Return every public line, in the order of the reference page."""
    return tuple(line for module in FIRST_WORDS for line in _lines_of(module))


def _spelled(pattern: str) -> Iterator[str]:
    """Yield a pattern with everything that its placeholders stand for.

    >>> list(_spelled("traffic.N.LINK_time"))
    ['traffic.#.scale_up_time', 'traffic.#.scale_out_time']
    """
    placeholder = _PLACEHOLDER.search(pattern)
    if placeholder is None:
        yield pattern
        return
    before, after = pattern[: placeholder.start()], pattern[placeholder.end() :]
    for text in PLACEHOLDERS[placeholder[0]]:
        yield from _spelled(f"{before}{text}{after}")


@cache
def _tree(section: str) -> dict[str, Any]:
    """Return the lines with a first word as a tree of words; ``""`` holds the line that ends."""
    tree: dict[str, Any] = {}
    module = MODULES.get(section)
    for line in _lines_of(module) if module else ():
        if line.pattern.partition(".")[0] != section:
            continue
        for spelled in _spelled(line.pattern):
            branch = tree
            for word in spelled.split("."):
                branch = branch.setdefault(word, {})
            branch.setdefault("", line)
    return tree


def _found(branch: dict[str, Any], words: tuple[str, ...], at: int) -> PublicLine | None:
    """Follow words from a branch: what is spelled out goes before what stands for any word."""
    if at == len(words):
        return branch.get("")
    word = words[at]
    if word and word in branch and (found := _found(branch[word], words, at + 1)):
        return found
    if word and "*" in branch and (found := _found(branch["*"], words, at + 1)):
        return found
    if "**" in branch:
        ends = range(at + 1, len(words) + 1)
        return next((found for end in ends if (found := _found(branch["**"], words, end))), None)
    return None


def public_line(name: str) -> PublicLine | None:
    """Return the declaration of a line by its name; None where it is not public.

    >>> public_line("memory.rank.3.total").pattern
    'memory.rank.N.CLASS'
    >>> public_line("memory.rank.3.has_layers.0") is None
    True
    """
    return _declaration(tuple(["#" if word.isdecimal() else word for word in name.split(".")]))


@cache
def _declaration(words: tuple[str, ...]) -> PublicLine | None:
    """Return the declaration of the lines that differ in numbers alone."""
    return _found(_tree(words[0]), words, 0)
