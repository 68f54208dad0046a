"""An explanation as Markdown: nested lists, whole, for issues and documents."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.explanation import value_text
from dsv3calc.output.markdown_notes import told_below
from dsv3calc.reading.escaping import markdown, markdown_code, markdown_link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.explain.explanation import Explained, Input, Origin


def render(answer: Answer, options: OutputOptions) -> str:
    """Return the explanations of an answer, each as a nested list."""
    blocks = []
    for each in answer.explanations:
        lines = [f"**{markdown(each.title)}: {markdown_code(each.line.name)}**", ""]
        lines += _item(each.line, None, "", set())
        blocks.append("\n".join(lines))
    blocks += told_below(answer, options)
    return "\n\n".join(blocks) + "\n"


def _item(line: Explained, use: Input | None, indent: str, told: set[str]) -> Iterator[str]:
    symbol = f"{markdown_code(use.symbol)} " if use is not None and use.symbol else ""
    meaning = f": {markdown(use.meaning)}" if use is not None and use.meaning else ""
    head = f"{indent}- {symbol}{markdown_code(line.name)} = {markdown(value_text(line))}{meaning}"
    if line.convention:
        head += f" ({markdown(line.convention)})"
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
            yield f"{inner}  <br>{markdown(text)}"
    for text in (line.symbols, line.words, line.numbers and f"= {line.numbers}"):
        if text:
            yield f"{inner}  <br>{markdown_code(text)}"
    for each in line.inputs:
        yield from _item(each.line, each, inner, told)


def origin_text(origin: Origin) -> str:
    """Return where a value was read, in a phrase."""
    kind = "**assumed**" if origin.kind == "assumed" else markdown(origin.kind)
    where = f"{origin.file}:{origin.line}" if origin.line else origin.file
    parts = [kind, markdown_code(where) if where else "", markdown(origin.citation)]
    if origin.note:
        parts.append(f"({markdown(origin.note)})")
    if origin.url:
        parts.append(markdown_link(origin.url))
    if origin.read:
        parts.append(f"read {markdown(origin.read)}")
    return " ".join(part for part in parts if part)
