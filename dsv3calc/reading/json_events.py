"""A JSON text as events, with the line and column of each."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.reading.diagnostics import quote
from dsv3calc.reading.event_builder import END, SCALAR, Event, Stop, Trouble, number
from dsv3calc.reading.text import LONGEST_NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.reading.text import Text

_GRAMMAR = (
    r'(?P<mark>[\[\]{}:,])|(?P<text>"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?P<real>(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?))(?![\w.+-])"
    r"|(?P<word>true|false|null)(?!\w)|(?P<beyond>NaN|-?Infinity)(?!\w)"
)
_WORDS = {"true": True, "false": False, "null": None}
# what may come next: a value, also the end of a list; a key, also the end of a mapping; …
_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COLON, _COMMA_OR_END, _NOTHING = range(7)
_EXPECTED = (
    "a value",
    "a value or ]",
    'a key in "quotes"',
    'a key in "quotes" or }',
    ":",
    "a comma or the closing bracket",
    "the end of the text",
)


def json_events(source: Text, trouble: Trouble) -> Iterator[Event]:
    """Yield the events of a JSON text."""
    text = source.text
    match_space = re.compile(r"[ \t\n\r]*").match
    match_token = re.compile(_GRAMMAR, re.ASCII).match
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
            what = f"not JSON: the text ends where {_EXPECTED[expected]} is expected"
            raise Stop(line, column, what, why="the file may be truncated")
        token = match_token(text, offset)
        beyond = token is not None and token["beyond"] and not source.not_finite
        if token is None or beyond or not _fits(token, expected, brackets):
            raise _stop(text, offset, line, column, _EXPECTED[expected])
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
                yield END, None, line, column
            else:
                yield SCALAR, _scalar(token, line, column, trouble), line, column
            after = _COMMA_OR_END if brackets else _NOTHING
            expected = _COLON if not mark and expected in (_KEY, _KEY_OR_END) else after


def _fits(token: re.Match[str], expected: int, brackets: list[str]) -> bool:
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


def _stop(text: str, offset: int, line: int, column: int, expected: str) -> Stop:
    """Say what stands where something else is expected."""
    word = re.match(r"[-+]?[\w.+-]+", text[offset : offset + 2 * LONGEST_NUMBER], re.ASCII)
    found = quote(word.group() if word else text[offset])
    why = ""
    if word and word.group().lstrip("-+").lower() in ("nan", "infinity"):
        return Stop(line, column, f"{word.group()} is not a number a model can use")
    if text[offset] in "}]" and "value" in expected:
        why = "JSON allows no comma before a closing bracket"
    if text[offset] == '"' and expected != "a comma or the closing bracket":
        why = "the text in quotes does not end on its line"
    return Stop(line, column, f"not JSON: {found} where {expected} is expected", why=why)


def _scalar(token: re.Match[str], line: int, column: int, trouble: Trouble) -> object:
    kind, text = token.lastgroup, token.group()
    if kind == "word":
        return _WORDS[text]
    if kind == "beyond":
        return float(text)
    if kind == "text":
        if "\\" not in text:
            return text[1:-1]
        try:
            return msgspec.json.decode(text, type=str)
        except (msgspec.MsgspecError, UnicodeError):
            raise Stop(line, column, "not JSON: a wrong escape in this text") from None
    return number(text, not token["real"], line, column, trouble)
