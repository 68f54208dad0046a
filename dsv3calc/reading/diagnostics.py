"""Compiler-style problems: where, what, why, what is valid, what was probably meant.

A problem quotes a file that may be hostile, so everything printed passes through ``escape``.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.reading.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDEST_LINE = 100  # characters of a source line that are shown around the caret
LONGEST_FIELD = 600  # characters of any one text of a problem
MOST_CANDIDATES = 2000  # words compared for one suggestion
LONGEST_WORD = 80  # characters of a word that is compared


def quote(value: object, longest: int = 60) -> str:
    """Return a value of a file as a message quotes it: escaped, shortened, texts in quotes."""
    if isinstance(value, str):
        short = value if len(value) <= longest else f"{value[:longest]}…"
        return f"'{escape(short)}'"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}" if abs(value) < 10**longest else "a huge integer"
    if isinstance(value, float):
        return repr(value).replace("inf", "Infinity").replace("nan", "NaN")
    kind = type(value).__name__
    return {"dict": "a mapping", "list": "a list"}.get(kind, f"a {kind}")


def suggest(word: str, candidates: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the candidate that was probably meant, or an empty text.

    The shortest that starts with the word, or else the one that is spelt most alike.

    Examples
    --------
    >>> suggest("hiden_size", ["hidden_size", "num_hidden_layers"])
    'hidden_size'
    >>> suggest("kv_cache.byte", ["kv_cache.bytes_per_token", "kv_cache.bytes"])
    'kv_cache.bytes'
    """
    short = word[:LONGEST_WORD]
    known = [name for name, _ in zip(candidates, range(MOST_CANDIDATES), strict=False)]
    folded = {name[:LONGEST_WORD].casefold().replace("-", "_"): name for name in known}
    key = short.casefold().replace("-", "_")
    if key in folded:
        return folded[key] if folded[key] != word else ""
    starting = [name for name in folded if len(key) > 1 and name.startswith(key)]
    if starting:
        return folded[min(starting, key=len)]
    import difflib

    close = difflib.get_close_matches(key, folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else ""


def did_you_mean(word: str, candidates: Iterable[str], otherwise: str = "") -> str:
    """Return a hint with the candidate that was probably meant, or another where there is none.

    >>> did_you_mean("hiden_size", ["hidden_size"])
    "did you mean 'hidden_size'?"
    """
    close = suggest(word, candidates)
    return f"did you mean '{close}'?" if close else otherwise


class Problem(msgspec.Struct, frozen=True):
    """One fault of one input, as a compiler would report it.

    ``line`` and ``column`` count from 1, in characters; None where a place makes no sense.
    ``path`` is the dotted field path, ``next`` the command or step to try.
    """

    file: str
    line: int | None
    column: int | None
    what: str
    path: str = ""
    why: str = ""
    valid: str = ""
    suggestion: str = ""
    next: str = ""
    source_line: str = ""

    def __str__(self) -> str:
        """Return the compiler form, several lines, without control characters."""
        place = [_text(self.file)]
        if self.line is not None:
            place.append(str(self.line))
            if self.column is not None:
                place.append(str(self.column))
        lines = [f"{':'.join(place)}: error: {_text(self.what)}"]
        if self.source_line.strip():
            lines += excerpt(self.source_line, self.column)
        if self.why:
            lines.append(f"    why: {_text(self.why)}")
        if self.valid:
            lines.append(f"    valid: {_text(self.valid)}")
        if self.suggestion:
            lines.append(f"    did you mean: {_text(self.suggestion)}")
        if self.next:
            lines.append(f"    try: {_text(self.next)}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the fields for JSON, texts escaped; ``source_line`` is trimmed."""
        found: dict[str, str | int | None] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            found[name] = _text(value) if isinstance(value, str) else value
        return found


def _text(text: str) -> str:
    return escape(text if len(text) <= LONGEST_FIELD else f"{text[:LONGEST_FIELD]}…")


def excerpt(line: str, column: int | None) -> list[str]:
    """Return a source line and a caret under the column (from 1), trimmed around the caret."""
    line = line.rstrip("\r\n")
    caret = min(max((column or 1) - 1, 0), len(line))
    first = 0
    if len(line) > WIDEST_LINE:
        first = max(0, min(caret - WIDEST_LINE // 2, len(line) - WIDEST_LINE))
    last = first + WIDEST_LINE
    before = "…" if first else ""
    after = "…" if last < len(line) else ""
    # a tab is shown as one space: the caret stays below its character
    shown = escape(line[first:last].replace("\t", " "))
    head = escape(line[first:caret].replace("\t", " "))
    shown_lines = [f"    {before}{shown}{after}"]
    if column is not None:
        shown_lines.append(f"    {' ' * (len(before) + text_width(head))}^")
    return shown_lines


def text_width(text: str) -> int:
    """Return how many columns of a terminal the text fills."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )
