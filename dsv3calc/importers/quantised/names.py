"""Lists of modules in quantised files: names, patterns and regular expressions, and what they name.

A list may be long and hostile: names are looked up, not searched, and a regular expression must be
one that cannot run away.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_PATTERNS = 2000
_EXPERT = re.compile(r"\bexperts\.(\d+)(?=\.|$)")
_SAFE = re.compile(r"(?:\\?[\w/:-]|\\[.d]\+?|\.\*|[.()|^$]|\[[\w-]+\][+*]?|\(\?:)*")
_MOST_STARS = 5
_NOT_A_MATRIX = re.compile(
    r"norm|embed|vision|visual|image|audio|multi_modal|mm_projector|patch_merge|projector|rotary"
    r"|e_score_correction|sinks|lm_head|\bhead\b|conv|A_log|dt_bias|re:"
)
"""What lists name beside the matrices of a language model: what is never quantised."""


class Names:
    """A list of names or patterns of modules: which of a model's modules it has."""

    __slots__ = ("_patterns", "_prefixes", "_seen", "_words", "partial")

    def __init__(self, texts: Iterable[str], experts: int = 0) -> None:
        self._words: set[str] = set()
        self._prefixes: set[str] = set()
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        self._seen: set[str] = set()
        numbers: dict[str, set[str]] = {}
        for text in texts:
            name = plain_name(text)
            found = _EXPERT.search(name)
            if found and not name.startswith("re:"):
                name = _EXPERT.sub("experts.0", name)
                numbers.setdefault(name, set()).add(found[1])
            self._add(name)
        self.partial = [name for name, some in numbers.items() if len(some) < experts]
        """Names of experts of which the list has some and not all."""

    def _add(self, name: str) -> None:
        stem = name[:-1]
        if name.startswith("re:"):
            self._patterns.append((name, safe_pattern(name[3:])))
        elif name.endswith("*") and not re.search(r"[*?\[]", stem):
            self._prefixes.add(stem)
        elif re.search(r"[*?\[]", name):
            self._patterns.append((name, re.compile(translate(name))))
        else:
            self._words.add(name.strip("."))
        if len(self._patterns) > MOST_PATTERNS:
            raise ValueError(f"more than {MOST_PATTERNS:,} patterns of modules")

    def has(self, names: Iterable[str]) -> bool:
        """Tell whether one of the names of a module is in the list."""
        return any([self._has(name) for name in names])  # noqa: C419 - each is noted as seen

    def _has(self, name: str) -> bool:
        for part in _parts(name):
            if part in self._words:
                self._seen.add(part)
                return True
        for end in range(len(name), 0, -1):
            if name[:end] in self._prefixes:
                self._seen.add(name[:end])
                return True
        for text, pattern in self._patterns:
            tried = [name] if text.startswith("re:") else _heads(name)
            if any(pattern.match(each) for each in tried):
                self._seen.add(text)
                return True
        return False

    def unknown(self) -> list[str]:
        """Return the names in the list that no module had, and that could be those of a matrix."""
        every = {*self._words, *self._prefixes, *(text for text, _ in self._patterns)}
        left = every - self._seen
        return sorted(name for name in left if not _NOT_A_MATRIX.search(name))


def plain_name(text: str) -> str:
    """Return the name of a module of a language model without what it is wrapped in."""
    for outer in ("model.language_model.", "language_model.model.", "language_model."):
        if text.startswith(outer):
            inner = text.removeprefix(outer)
            return inner if inner.startswith("lm_head") else f"model.{inner}"
    return text


def safe_pattern(text: str) -> re.Pattern[str]:
    """Compile a regular expression of a file.

    Raises
    ------
    ValueError
        If it is none, or none that surely ends.
    """
    runaway = text.count("*") + text.count("+") > _MOST_STARS or re.search(r"\)[*+{?]", text)
    if len(text) > 500 or runaway or not _SAFE.fullmatch(text):  # noqa: PLR2004 - no name is so long
        raise ValueError(f"cannot read the pattern {text[:100]!r}")
    try:
        return re.compile(text)
    except re.error:
        raise ValueError(f"cannot read the pattern {text[:100]!r}") from None


def _parts(name: str) -> Iterator[str]:
    """Yield every run of components of a dotted name: a list may name a part of it."""
    words = name.split(".")
    for start in range(len(words)):
        for end in range(len(words), start, -1):
            yield ".".join(words[start:end])


def _heads(name: str) -> list[str]:
    words = name.split(".")
    return [".".join(words[:end]) for end in range(len(words), 0, -1)]
