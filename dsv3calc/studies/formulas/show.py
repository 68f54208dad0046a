"""Answer ``formula list`` and ``formula show``: the registry of formulas."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.formulas.registry.docstring import Docstring
from dsv3calc.formulas.registry.domains import domain_of
from dsv3calc.formulas.registry.glossary import SYMBOLS
from dsv3calc.formulas.registry.plain_text import plain
from dsv3calc.formulas.registry.reached import ways_to
from dsv3calc.formulas.registry.registry import SUBJECTS, all_formulas
from dsv3calc.reading.diagnostics import did_you_mean, quote
from dsv3calc.studies.answer import Answer
from dsv3calc.symbolic.equations_of_formula import equations, right_hand_side
from dsv3calc.symbolic.printer import PYTHON, UNICODE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.formulas.registry.registry import Formula

WIDTH = 80


def list_formulas(subject: str | None = None) -> Answer:
    """List the formulas of the registry, or of one subject.

    Raises
    ------
    UsageError
        If there is no such subject.
    """
    if subject is not None and subject not in SUBJECTS:
        raise UsageError(
            f"formula list {quote(subject)}: there is no such subject",
            did_you_mean(subject, SUBJECTS, f"subjects: {', '.join(SUBJECTS)}"),
        )
    answer = Answer("formula list", {"subject": subject} if subject else {})
    answer.headings = ["name", "subject", "symbol", "unit", "summary", "reached_by"]
    answer.rows = [
        {
            "name": formula.name,
            "subject": formula.subject,
            "symbol": plain(formula.symbol),
            "unit": formula.unit,
            "summary": Docstring(formula.function.__doc__ or "").summary,
            "reached_by": ways_to(formula),
        }
        for formula in all_formulas().values()
        if subject in (None, formula.subject)
    ]
    return answer


def formula_named(name: str) -> Formula:
    """Return a formula by its name, with its subject in front or without.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    known = all_formulas()
    subject, _, bare = name.rpartition(".")
    found = known.get(bare)
    if found is not None and subject in ("", found.subject):
        return found
    raise UsageError(
        f"there is no formula {quote(name)}",
        did_you_mean(bare, known, "dsv3calc formula list"),
    )


def show_formula(name: str, *, latex: bool = False) -> Answer:
    """Show a formula: its equation, its symbols, when it holds, an example, its source.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    formula = formula_named(name)
    told = Docstring(formula.function.__doc__ or "")
    answer = Answer("formula show", {"name": formula.name} | ({"latex": True} if latex else {}))
    in_words = {each: words for names, words in told.parameters for each in names}
    row: dict[str, Any] = {
        "name": formula.name,
        "subject": formula.subject,
        "summary": told.summary,
        "equation": "; ".join(equations(formula, UNICODE)),
        "latex": r",\quad ".join(equations(formula)),
        "python": right_hand_side(formula, notation=PYTHON),
        "symbol": plain(formula.symbol),
        "unit": formula.unit,
        "parameters": [
            {
                "name": each,
                "symbol": plain(SYMBOLS[each].latex),
                "unit": unit,
                "meaning": SYMBOLS[each].description,
                "here": in_words.get(each, ""),
                "domain": domain_of(formula, each),
            }
            for each, unit in zip(formula.parameters, formula.argument_units, strict=True)
        ],
        "returns": " ".join(told.returns.split()),
        "result_domain": ", ".join(each.removeprefix("result ") for each in formula.result),
        "notes": told.notes,
        "examples": told.examples,
        "source": " ".join(told.source.split()),
        "reached_by": ways_to(formula),
    }
    answer.rows = [row]
    answer.text = "".join(f"{line}\n" for line in equations(formula)) if latex else _text(row)
    return answer


def _text(row: dict[str, Any]) -> str:
    """Write a formula as a page of text."""
    blocks = [f"{row['subject']}.{row['name']}", *textwrap.wrap(row["summary"], WIDTH), ""]
    for equation in row["equation"].split("; "):
        blocks += textwrap.wrap(
            equation, WIDTH, initial_indent="  ", subsequent_indent="      ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    blocks.append("")
    here = [each["here"] for each in row["parameters"]]
    symbols = [
        (
            each["symbol"],
            each["name"],
            _unit(each["unit"]),
            f"{words if here.count(words) == 1 else _sentence(each['meaning'])} [{each['domain']}]",
        )
        for each, words in zip(row["parameters"], here, strict=True)
    ]
    symbols.append(
        (row["symbol"], "result", _unit(row["unit"]), f"{row['returns']} [{row['result_domain']}]")
    )
    widths = [max(len(each[column]) for each in symbols) for column in range(3)]
    for *cells, words in symbols:
        head = "  " + "  ".join(
            cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
        )
        room = max(24, WIDTH - len(head) - 2)
        first, *rest = textwrap.wrap(words, room) or [""]
        blocks.append(f"{head}  {first}")
        blocks += [" " * (len(head) + 2) + line for line in rest]
    for title, text in (("holds", row["notes"]), ("example", row["examples"])):
        if text:
            blocks += ["", f"{title}:", *(f"  {line}" for line in _paragraphs(text))]
    blocks += ["", *textwrap.wrap(f"source: {row['source']}", WIDTH, subsequent_indent="  ")]
    blocks += ["", *textwrap.wrap(f"reached by: {', '.join(row['reached_by'])}", WIDTH)]
    return "".join(f"{line.rstrip()}\n" for line in blocks).replace("``", "")


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the lines of a section in a page's width; code and lists stay as written."""
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield ""
        as_written = paragraph.lstrip().startswith((">>>", "-", "*", ".."))
        yield from paragraph.splitlines() if as_written else textwrap.wrap(paragraph, WIDTH - 2)


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit
