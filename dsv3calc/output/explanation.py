"""An explanation as a tree of text: what a terminal or a pipe gets. Nothing heavy is imported.

The tree ends at a depth: the one asked for, or the deepest at which it is still read at a glance.
A line that many stand on is shown once, and of a maximum only the largest part is taken apart.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from dsv3calc.ledger.rules import number_text
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.layout import PAGE, terminal_width, wrap
from dsv3calc.output.notes import told_of
from dsv3calc.output.view import SHOWN_UNITS
from dsv3calc.reading.diagnostics import text_width
from dsv3calc.reading.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.explain.explanation import Explained, Explanation, Input

_NARROWEST = 40
_DEEPEST = 100
READABLE = 66
"""Lines of text up to which a tree is read at a glance: a page."""

_BOLD, _DIM, _YELLOW, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[0m"


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:
    """Return the explanations of an answer, each as a tree, their sources below."""
    width = width_of(options)
    footnotes = Footnotes()
    blocks: list[list[str]] = []
    for each in answer.explanations:
        tree = _Tree(footnotes, width, color=color)
        several = len({other.column for other in answer.explanations}) > 1
        head = [_styled(escape(each.title), _BOLD, color=color)] if several or not blocks else []
        blocks.append([*head, *tree.lines_of(each, options.depth)])
    lines = [line for block in blocks for line in (*block, "")]
    lines += footnotes.lines(width)
    lines += told_below(answer, options)
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def width_of(options: OutputOptions) -> int:
    """Return the columns that text may take."""
    return max(_NARROWEST, terminal_width(options) or PAGE)


def told_below(answer: Answer, options: OutputOptions) -> list[str]:
    """Return what a reader must know, below what he asked for."""
    told = told_of(answer, options)
    lines = []
    for word, text in told.shown:
        lines += wrap(f"{word}: {escape(text)}", width_of(options), hang=2)
    return [*lines, *([told.more] if told.more else [])]


class Footnotes:
    """Sources in the order in which values refer to them."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}

    def number(self, *key: str) -> int:
        """Return the number of a source, giving it one."""
        return self._numbers.setdefault(key, len(self._numbers) + 1)

    def lines(self, width: int) -> list[str]:
        """Return the list of sources."""
        found = []
        for (kind, citation, url, read, note), number in self._numbers.items():
            text = f"[{number}] {kind}: {citation}"
            text += f" ({note})" if note else ""
            text += f" <{url}>" if url else ""
            text += f", read {read}" if read else ""
            found += wrap(escape(text), width, hang=4)
        return [*found, ""] if found else []


class _Tree:
    """Draws one explanation, its parts indented under it."""

    def __init__(self, footnotes: Footnotes, width: int, *, color: bool) -> None:
        self.footnotes = footnotes
        self.width = width
        self.color = color
        self._told: set[str] = set()
        self._said: set[str] = set()

    def lines_of(self, explanation: Explanation, depth: int | None) -> list[str]:
        if depth is None:
            depth = readable_depth(explanation.line)
        self._told, self._said = set(), set()
        return list(self._line(explanation.line, None, "", "", depth))

    def _line(
        self, line: Explained, use: Input | None, first: str, rest: str, depth: int
    ) -> Iterator[str]:
        """Yield the text of a line and of what is below it.

        ``first`` stands before its first line of text and ``rest`` before the others.
        """
        if line.origin is not None:
            yield from self._read(line, use, first, rest)
            return
        inner = rest + ("│ " if line.inputs and depth > 0 else "  ")
        repeated = line.name in self._told
        yield from self._head(line, use, first, inner, "  (as above)" if repeated else "")
        if repeated:
            return
        self._told.add(line.name)
        yield from self._equation(line, inner)
        if not line.inputs:
            return
        if depth <= 0:
            count = len(line.inputs)
            yield f"{inner}… {count} input{'s' if count > 1 else ''} not shown"
            return
        counted = decisive(line)
        for number, each in enumerate(line.inputs, 1):
            last = number == len(line.inputs)
            first, below = (f"{rest}└─", f"{rest}  ") if last else (f"{rest}├─", f"{rest}│ ")
            if each in counted:
                yield from self._line(each.line, each, first, below, depth - 1)
            else:
                yield from self._head(each.line, each, first, below, "")

    def _head(
        self, line: Explained, use: Input | None, first: str, rest: str, ending: str
    ) -> Iterator[str]:
        label = f"{use.symbol}: " if use is not None and use.symbol else ""
        value = value_text(line)
        convention = f"  [{line.convention}]" if line.convention else ""
        text = f"{label}{line.name} = {value}{convention}{ending}"
        gap = " " if first else ""
        yield from self._wrapped(text, first + gap, rest + gap, bold=escape(line.name))

    def _equation(self, line: Explained, prefix: str) -> Iterator[str]:
        if line.summary and not (line.formula and line.formula in self._said):
            self._said.add(line.formula)
            yield from self._wrapped(line.summary, prefix, prefix)
        if line.symbols:
            yield from self._wrapped(line.symbols, f"{prefix}  ", f"{prefix}    ")
        if line.numbers:
            yield from self._wrapped(f"= {line.numbers}", f"{prefix}  ", f"{prefix}    ")

    def _read(self, line: Explained, use: Input | None, first: str, rest: str) -> Iterator[str]:
        """Yield a value that was read, with its place and the number of its source."""
        assert line.origin is not None  # noqa: S101 - that is how it was chosen
        origin = line.origin
        label = f"{use.symbol}: " if use is not None and use.symbol else ""
        name = use.parameter if use is not None and use.parameter else line.name
        text = escape(f"{label}{name} = {value_text(line)}")
        where = ""
        if origin.file:
            where = os.path.basename(origin.file) + (f":{origin.line}" if origin.line else "")
        if origin.kind in ("query", "definition"):
            where = f"{where} {origin.citation or 'by definition'}".strip()
        else:
            number = self.footnotes.number(
                origin.kind, origin.citation, origin.url, origin.read, origin.note
            )
            kind = "ASSUMED" if origin.kind == "assumed" else origin.kind
            where = f"{where} {kind} [{number}]".strip()
        style = _YELLOW if origin.kind == "assumed" else _DIM
        shown = escape(where)
        if text_width(f"{first} {text}  {shown}") <= self.width:
            yield f"{first} {text}  {_styled(shown, style, color=self.color)}"
            return
        yield from self._wrapped(text, f"{first} ", f"{rest} ")
        for part in self._wrapped(where, f"{rest}   ", f"{rest}   "):
            yield _styled(part, style, color=self.color)

    def _wrapped(self, text: str, first: str, rest: str, bold: str = "") -> Iterator[str]:
        """Yield a text as lines behind the branches of the tree; one word of it may be bold."""
        text = escape(text)
        room = self.width - text_width(first)
        if text_width(text) > room:
            room = max(_NARROWEST // 2, self.width - text_width(rest) - 2)
        head, *more = wrap(text, room)
        yield first + (
            head.replace(bold, _styled(bold, _BOLD, color=self.color), 1) if bold else head
        )
        yield from (f"{rest}  {line}" for line in more)


def _styled(text: str, style: str, *, color: bool) -> str:
    return f"{style}{text}{_PLAIN}" if color else text


def value_text(line: Explained) -> str:
    """Write a value exactly, with its unit, and as people read it where that is shorter."""
    if isinstance(line.value, str):
        return line.value
    exact = number_text(line.value)
    unit = "" if line.unit in ("1", "ratio") else f" {line.unit}"
    short = format_quantity(line.value, SHOWN_UNITS.get(line.unit, line.unit))
    plain = short.replace(",", "")
    same = plain in (exact.replace(",", ""), f"{exact.replace(',', '')}{unit}")
    if same or len(short) >= len(exact + unit) or (not unit and "." not in short):
        return exact + unit
    return f"{exact}{unit} = {short}"


def decisive(line: Explained) -> list[Input]:
    """Return the inputs that the value of a line stands on: of a maximum, the largest."""
    inputs = line.inputs
    if line.rule == "maximum":
        return [max(inputs, key=lambda each: each.line.value)]
    if line.rule == "at_largest":
        middle = len(inputs) // 2
        largest = max(range(middle), key=lambda index: inputs[index].line.value)
        return [inputs[middle + largest]]
    return inputs


def readable_depth(line: Explained) -> int:
    """Return the depth to which a tree is shown where none is asked for."""
    depth = 1
    while depth < _DEEPEST:
        size = tree_size(line, depth + 1, set())
        if size > READABLE or size == tree_size(line, depth, set()):
            break
        depth += 1
    return depth


def tree_size(line: Explained, depth: int, told: set[str]) -> int:
    """Count about how many lines of text a tree takes down to a depth."""
    if line.origin is not None or line.name in told:
        return 1
    told.add(line.name)
    size = 3 + len(line.numbers) // PAGE + len(line.symbols) // PAGE
    if depth > 0:
        counted = decisive(line)
        size += sum(tree_size(each.line, depth - 1, told) for each in counted)
        size += len(line.inputs) - len(counted)
    return size
