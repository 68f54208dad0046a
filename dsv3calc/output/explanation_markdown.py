"""An explanation as Markdown: nested lists, whole, for issues and documents."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.diagnostics import escape
from dsv3calc.output.explanation import value_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.explain import Explained, Input
    from dsv3calc.studies.origins import Origin


def render(answer: Answer) -> str:
    """Return the explanations of an answer, each as a nested list."""
    blocks = []
    for each in answer.explanations:
        lines = [f"**{_safe(each.title)}: {_code(each.line.name)}**", ""]
        lines += _item(each.line, None, "", set())
        blocks.append("\n".join(lines))
    told = [f"- warning: {_safe(text)}" for text in answer.warnings]
    told += [f"- note: {_safe(text)}" for text in answer.notes]
    told += [f"- assumed: {_safe(text)}" for text in answer.assumptions]
    if told:
        blocks.append("\n".join(told))
    return "\n\n".join(blocks) + "\n"


def _item(line: Explained, use: Input | None, indent: str, told: set[str]) -> Iterator[str]:
    symbol = f"{_code(use.symbol)} " if use is not None and use.symbol else ""
    meaning = f": {_safe(use.meaning)}" if use is not None and use.meaning else ""
    head = f"{indent}- {symbol}{_code(line.name)} = {_safe(value_text(line))}{meaning}"
    if line.convention:
        head += f" ({_safe(line.convention)})"
    if line.origin is not None:
        yield f"{head}. {origin_text(line.origin)}"
        return
    if line.name in told:
        yield f"{head} (as above)"
        return
    told.add(line.name)
    yield head
    inner = f"{indent}  "
    for text in (line.summary, line.source and f"Source: {line.source}"):
        if text:
            yield f"{inner}  <br>{_safe(text)}"
    for text in (line.symbols, line.words, line.numbers and f"= {line.numbers}"):
        if text:
            yield f"{inner}  <br>{_code(text)}"
    for each in line.inputs:
        yield from _item(each.line, each, inner, told)


def origin_text(origin: Origin) -> str:
    """Return where a value was read, in a phrase."""
    kind = "**assumed**" if origin.kind == "assumed" else _safe(origin.kind)
    where = f"{origin.file}:{origin.line}" if origin.line else origin.file
    parts = [kind, _code(where) if where else "", _safe(origin.citation)]
    if origin.note:
        parts.append(f"({_safe(origin.note)})")
    if origin.url:
        parts.append(f"<{escape(origin.url)}>")
    if origin.read:
        parts.append(f"read {escape(origin.read)}")
    return " ".join(part for part in parts if part)


def _code(text: str) -> str:
    return f"`{escape(text).replace('`', chr(39))}`"


def _safe(text: str) -> str:
    text = escape(text)
    for letter in "*_[]|`":
        text = text.replace(letter, f"\\{letter}")
    return text.replace("<", "&lt;")
