"""An answer as one page: picture, tables, what to know, derivations, sources.

Nothing to fetch, nothing to run. The parts of a derivation open with a click, and the numbers of
the tables lead to theirs. An explanation is a page of derivations alone.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc import __version__
from dsv3calc.errors import UsageError
from dsv3calc.output.explanation import value_text
from dsv3calc.output.html_tables import Links, link, place_of, sources, tables
from dsv3calc.output.notes import told_of
from dsv3calc.output.pictures.of_answer import as_svg, picture_of
from dsv3calc.output.view import build
from dsv3calc.queries.table import PICTURES
from dsv3calc.reading.escaping import html

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.output.options import OutputOptions
    from dsv3calc.output.view import View
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.explain.explanation import Explained, Explanation, Input, Origin

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
figure { margin: 1rem 0; overflow-x: auto; }
figure svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid #d8d8d8;
  white-space: pre; }
.words { text-align: left; }
td a { color: inherit; text-decoration-style: dotted; }
@media print { details::details-content { content-visibility: visible; display: block; } }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1a1a1a; }
  details, .read, th, td { border-color: #444; }
  a { color: #8ab4f8; }
  .quiet { color: #999; }
  .assumed { background: #5c4a00; }
}"""


def render(answer: Answer, options: OutputOptions, *, color: bool) -> str:  # noqa: ARG001 - one interface
    """Return an answer or its explanations as a page that needs no other file."""
    asks = answer.view == "explain"
    told: set[str] = set()
    derived = [text for each in answer.explanations for text in _derivation(each, told, alone=asks)]
    if asks:
        command = answer.query.get("command", "") or answer.command
        titles = ", ".join(dict.fromkeys(each.title for each in answer.explanations))
        title, body = f"dsv3calc {command}: {titles}", []
    else:
        view = build(answer, exact=options.exact)
        title = view.heading[0] if view.heading else f"dsv3calc {answer.command}"
        body = [*_asked(answer, view), *_pictures(answer), *tables(view, Links(answer, told))]
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
        "<body><main>",
        f"<h1>{html(title)}</h1>",
        *body,
    ]
    below = _told(answer, options)
    if asks:
        lines += [*derived, *below]
    else:
        lines += _section("What to know", below)
        lines += _section("Derivations", derived)
        lines += _section("Sources", sources(answer))
    return "\n".join([*lines, "</main></body>", "</html>"]) + "\n"


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"<h2>{title}</h2>", *lines] if lines else []


def _asked(answer: Answer, view: View) -> list[str]:
    """Say what was counted and what was asked, by which version."""
    lines = [f"<p>{html(text)}</p>" for text in view.heading[1:]]
    if answer.asked:
        lines.append(f"<p><code>dsv3calc {html(answer.asked)}</code></p>")
    return [*lines, f'<p class="quiet">dsv3calc {__version__}</p>']


def _pictures(answer: Answer) -> list[str]:
    """Return the picture of an answer that has one."""
    if answer.command not in PICTURES:
        return []
    try:
        return [f"<figure>\n{as_svg(picture_of(answer))}</figure>"]
    except UsageError:  # this answer of the command has none
        return []


def _told(answer: Answer, options: OutputOptions) -> list[str]:
    """Return warnings, notes and assumptions; what is less important opens with a click."""
    told = told_of(answer, options)
    lines = _items(told.shown) if told.shown else []
    if told.hidden:
        lines += [f"<details><summary>{len(told.hidden)} more</summary>"]
        lines += [*_items(told.hidden), "</details>"]
    return lines


def _derivation(each: Explanation, told: set[str], *, alone: bool) -> Iterator[str]:
    """Yield the derivation of a line; on a page of several a line stands in full once."""
    if alone:
        yield f"<h2>{html(each.title)}: <code>{html(each.line.name)}</code></h2>"
        yield from _line(each.line, None, 0, set(), each.column)
    elif place_of(each.column, each.line.name) not in told:
        yield from _line(each.line, None, OPEN_LEVELS, told, each.column)


def _items(told: list[tuple[str, str]]) -> list[str]:
    return ["<ul>", *(f"<li>{word}: {html(text)}</li>" for word, text in told), "</ul>"]


def _line(
    line: Explained, use: Input | None, depth: int, told: set[str], column: str
) -> Iterator[str]:
    head, place = _head(line, use), place_of(column, line.name)
    if place in told:
        above = f'<a class="quiet" href="#{place}">(as above)</a>'
        yield f'<div class="read">{head} {above}</div>'
        return
    told.add(place)
    if line.origin is not None:
        yield f'<div class="read" id="{place}">{head} {_origin(line.origin)}</div>'
        return
    yield f'<details id="{place}"{" open" if depth < OPEN_LEVELS else ""}><summary>{head}</summary>'
    if line.summary:
        yield f"<div>{html(line.summary)}</div>"
    for text in (line.symbols, line.words, line.numbers and f"= {line.numbers}"):
        if text:
            yield f'<div class="equation">{html(text)}</div>'
    if line.source:
        yield f'<div class="quiet">Source: {html(line.source)}</div>'
    for each in line.inputs:
        yield from _line(each.line, each, depth + 1, told, column)
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
        parts.append(link(origin.url))
    if origin.read:
        parts.append(f"read {html(origin.read)}")
    return f'<span class="quiet">{" ".join(part for part in parts if part)}</span>'
