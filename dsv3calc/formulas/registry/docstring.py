"""The parts of a formula's docstring, whose form is fixed: see ``registry``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

SECTIONS = ("Parameters", "Returns", "Notes", "Examples", "Source")
"""What a formula's docstring has below its sentence and its equation, in this order."""


class Docstring:
    """A docstring taken apart.

    ``summary`` is its first sentence, ``equation`` the LaTeX lines under ``.. math::``, and
    ``parameters`` the described names with their description: names described together stand
    together. The other sections are texts, their line breaks kept; absent ones are empty.
    """

    __slots__ = ("equation", "examples", "notes", "parameters", "returns", "source", "summary")

    def __init__(self, text: str) -> None:
        head, sections = _split(dedented(text))
        self.summary = _joined(head[: head.index("")] if "" in head else head)
        self.equation = _math(head)
        self.parameters = _definitions(sections.get("Parameters", []))
        self.returns = _text(sections.get("Returns", []))
        self.notes = _text(sections.get("Notes", []))
        self.examples = _text(sections.get("Examples", []))
        self.source = _text(sections.get("Source", []))


def dedented(text: str) -> list[str]:
    r"""Return the lines of a docstring without the indentation of the source around it.

    >>> dedented("One.\n\n        Two.\n        ")
    ['One.', '', 'Two.', '']
    """
    first, *rest = text.split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return [first.strip(), *(line[margin:].rstrip() for line in rest)]


def _split(lines: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the lines before the first section, and each section's lines."""
    head: list[str] = []
    sections: dict[str, list[str]] = {}
    current = head
    below = [*lines[1:], ""]
    underlined = False
    for line, next_line in zip(lines, below, strict=True):
        if underlined:  # the line of dashes itself
            underlined = False
        elif line in SECTIONS and next_line == "-" * len(line):
            current = sections.setdefault(line, [])
            underlined = True
        else:
            current.append(line)
    return head, sections


def _math(head: list[str]) -> list[str]:
    """Return the lines of the ``.. math::`` directive."""
    found: list[str] = []
    inside = False
    for line in head:
        if line.startswith(".. math::"):
            inside = True
            found.append(line.removeprefix(".. math::").strip())
        elif inside and line and not line.startswith(" "):
            break
        elif inside:
            found.append(line.strip())
    return [line for line in found if line]


def _definitions(lines: list[str]) -> list[tuple[tuple[str, ...], str]]:
    found: list[tuple[tuple[str, ...], list[str]]] = []
    for line in lines:
        if line and not line.startswith(" "):
            found.append((tuple(name.strip() for name in line.split(",")), []))
        elif line and found:
            found[-1][1].append(line.strip())
    return [(names, " ".join(words)) for names, words in found]


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines if line.strip())


def _text(lines: list[str]) -> str:
    return "\n".join(lines).strip("\n")
