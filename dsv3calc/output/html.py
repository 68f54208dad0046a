"""An explanation or a picture as one page: nothing to fetch, nothing to run.

The parts of an explanation open with a click.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.explanation import value_text
from dsv3calc.output.notes import told_of
from dsv3calc.output.pictures.of_answer import as_svg, picture_of
from dsv3calc.queries.table import PICTURES
from dsv3calc.reading.escaping import html

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.explain.explanation import Explained, Input, Origin

OPEN_LEVELS = 2
"""Levels of the tree that are open when the page is."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c1c1c; background: #fff; }
details, .read { border-left: 2px solid #d8d8d8; margin: .3rem 0 .3rem .4rem; padding-left: .7rem; }
summary { cursor: pointer; }
code, .equation { font-family: ui-monospace, monospace; font-size: .93em; }
.equation { margin: .15rem 0; overflow-wrap: anywhere; }
.name { font-weight: 600; }
.quiet { color: #666; }
.assumed { background: #fff3cd; padding: 0 .3em; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1a1a1a; }
  details, .read { border-color: #444; }
  .quiet { color: #999; }
  .assumed { background: #5c4a00; }
}"""


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:  # noqa: ARG001 - one interface
    """Return the explanations or the picture of an answer as a page that needs no other file."""
    chart = None
    if answer.command in PICTURES and not answer.explanations:
        chart = picture_of(answer)
    titles = (each.title for each in answer.explanations) if chart is None else (chart.title,)
    command = answer.query.get("command", "") or answer.command
    title = f"dsv3calc {command}: " + ", ".join(dict.fromkeys(titles))
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>{html(title)}</title>",
        f"<style>\n{STYLE}\n</style>",
        "</head>",
        "<body>",
        f"<h1>{html(title)}</h1>",
    ]
    if chart is not None:
        lines.append(as_svg(chart))
    for each in answer.explanations:
        lines.append(f"<h2>{html(each.title)}: <code>{html(each.line.name)}</code></h2>")
        lines += _line(each.line, None, 0, set())
    told = told_of(answer, options)
    if told.shown:
        lines += _items(told.shown)
    if told.hidden:
        lines += [f"<details><summary>{len(told.hidden)} more</summary>"]
        lines += [*_items(told.hidden), "</details>"]
    return "\n".join([*lines, "</body>", "</html>"]) + "\n"


def _items(told: list[tuple[str, str]]) -> list[str]:
    return ["<ul>", *(f"<li>{word}: {html(text)}</li>" for word, text in told), "</ul>"]


def _line(line: Explained, use: Input | None, depth: int, told: set[str]) -> Iterator[str]:
    head = _head(line, use)
    if line.origin is not None:
        yield f'<div class="read">{head} {_origin(line.origin)}</div>'
        return
    if line.name in told:
        yield f'<div class="read">{head} <span class="quiet">(as above)</span></div>'
        return
    told.add(line.name)
    yield f"<details{' open' if depth < OPEN_LEVELS else ''}><summary>{head}</summary>"
    if line.summary:
        yield f"<div>{html(line.summary)}</div>"
    for text in (line.symbols, line.words, line.numbers and f"= {line.numbers}"):
        if text:
            yield f'<div class="equation">{html(text)}</div>'
    if line.source:
        yield f'<div class="quiet">Source: {html(line.source)}</div>'
    for each in line.inputs:
        yield from _line(each.line, each, depth + 1, told)
    yield "</details>"


def _head(line: Explained, use: Input | None) -> str:
    symbol = f"<code>{html(use.symbol)}</code> " if use is not None and use.symbol else ""
    meaning = use.meaning if use is not None else ""
    words = "; ".join(text for text in (meaning, line.convention) if text)
    quiet = f' <span class="quiet">{html(words)}</span>' if words else ""
    name = f'<span class="name">{html(line.name)}</span>'
    return f"{symbol}{name} = {html(value_text(line))}{quiet}"


def _origin(origin: Origin) -> str:
    kind = (
        f'<span class="assumed">{origin.kind}</span>'
        if origin.kind == "assumed"
        else html(origin.kind)
    )
    where = f"{origin.file}:{origin.line}" if origin.line else origin.file
    parts = [kind, f"<code>{html(where)}</code>" if where else "", html(origin.citation)]
    if origin.note:
        parts.append(f"({html(origin.note)})")
    if origin.url.startswith("https://"):
        parts.append(f'<a href="{html(origin.url)}" rel="noreferrer">{html(origin.url)}</a>')
    if origin.read:
        parts.append(f"read {html(origin.read)}")
    return f'<span class="quiet">{" ".join(part for part in parts if part)}</span>'
