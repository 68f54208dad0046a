"""Answer ``--explain``: how a number came to be, down to the files that its inputs were read from.

Nothing is typed twice: symbols and substitutions come from running the formulas on terms
(:mod:`dsv3calc.symbolic.term`), what they say in words from their docstrings. Sympy is not needed.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.formulas.registry.docstring import Docstring
from dsv3calc.formulas.registry.glossary import SYMBOLS
from dsv3calc.formulas.registry.plain_text import plain
from dsv3calc.ledger.line import Line, given
from dsv3calc.ledger.rules import RULES, expression_text, number_text, words_of
from dsv3calc.queries.table import COMMANDS
from dsv3calc.reading.diagnostics import quote, suggest
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.dispatch import answer as ask
from dsv3calc.studies.explain.explanation import Explained, Explanation, Input, Origin
from dsv3calc.studies.explain.provenance import Origins
from dsv3calc.symbolic.equations_of_formula import unicode_equation
from dsv3calc.symbolic.printer import UNICODE, render
from dsv3calc.symbolic.term import record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.formulas.registry.registry import Formula
    from dsv3calc.ledger.line import Ledger
    from dsv3calc.queries.base import Query

MOST_LISTED = 12


class _Teller:
    """Explains the lines of one column, each once."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._known: dict[str, Explained] = {}

    def tell(self, line: Line) -> Explained:
        found = self._known.get(line.name)
        if found is not None and found.value == line.value and found.rule == line.rule:
            return found
        found = self._known[line.name] = Explained(line)
        if line.rule == "given":
            found.summary = line.convention
            found.origin = self._origins.of(line.name, line.value, line.convention)
        elif line.formula is not None:
            self._formula(line, line.formula, found)
        else:
            found.inputs = [Input(self.tell(part)) for part in line.parts]
            found.summary = words_of(line.rule, len(line.parts))
            if line.rule in RULES:
                texts = [number_text(part.value) for part in line.parts]
                found.words = expression_text(line.rule, [part.name for part in line.parts])
                found.numbers = expression_text(line.rule, texts)
        return found

    def _formula(self, line: Line, formula: Formula, found: Explained) -> None:
        told = _described(formula)
        found.formula = f"{formula.subject}.{formula.name}"
        found.summary, found.source = told.summary, told.source
        found.symbols = told.equation
        found.words = told.words
        arguments = line.arguments
        values = {
            name: number_text(value.value if type(value) is Line else value)
            for name, value, _ in arguments
        }
        found.numbers = render(told.result, UNICODE, values.__getitem__)
        for (name, value, place), unit in zip(arguments, formula.argument_units, strict=True):
            read = (
                value if type(value) is Line else given(place or f"{line.name}.{name}", value, unit)
            )
            symbol = SYMBOLS[name]
            found.inputs.append(
                Input(self.tell(read), name, plain(symbol.latex), symbol.description)
            )


class _Described:
    """What every use of a formula has in common."""

    __slots__ = ("equation", "result", "source", "summary", "words")

    def __init__(self, formula: Formula) -> None:
        docstring = Docstring(formula.function.__doc__ or "")
        self.summary = docstring.summary
        self.source = " ".join(docstring.source.split())
        self.result, _ = record(formula.function)
        self.equation = unicode_equation(formula)
        self.words = render(self.result, UNICODE)


@cache
def _described(formula: Formula) -> _Described:
    return _Described(formula)


def answer_explain(query: Query, names: Sequence[str] = ()) -> Answer:
    """Explain lines of a query's answer: those named, or the one that it is asked for.

    Parameters
    ----------
    query
        The query whose numbers are to be explained.
    names
        Names of published lines; ``*`` and ``?`` stand for any text and any letter.

    Raises
    ------
    UsageError, InvalidInput, Infeasible
        As the query is wrong, or has no such line.
    """
    answer = ask(query)
    found = Answer("explain", {"command": query.command, **answer.query}, "explain")
    if names:
        found.query["line"] = list(names)
    found.take_told(answer)
    found.presets, found.notes = answer.presets, answer.notes
    for column in answer.columns:
        published = column.ledger.named()
        teller = _Teller(Origins(answer, query, column.id))
        known = computed_lines(column.ledger) if names else published
        for name in _chosen(query.command, names, known, published):
            line = teller.tell(known[name])
            found.explanations.append(Explanation(column.id, column.title, line))
    if names:
        every = [computed_lines(column.ledger) for column in answer.columns]
        _check_names(names, every, answer.absent)
    else:
        tops = [
            line.name
            for line in answer.columns[0].ledger.lines
            if line.rule != "given" and not line.tags.place
        ]
        shown = {each.line.name for each in found.explanations}
        others = [name for name in dict.fromkeys(tops) if name not in shown]
        if others:
            more = f" and {len(others) - MOST_LISTED} more" if len(others) > MOST_LISTED else ""
            found.notes.append(f"other lines, for --line: {', '.join(others[:MOST_LISTED])}{more}")
    return found


def add_explanations(answer: Answer, query: Query, lines: Sequence[Line]) -> None:
    """Add to the answer of a query how these lines of its ledgers are derived."""
    wanted = {id(line) for line in lines if line.rule != "given"}
    for column in answer.columns:
        teller = _Teller(Origins(answer, query, column.id))
        for line in computed_lines(column.ledger).values():
            if id(line) in wanted:
                found = Explanation(column.id, column.title, teller.tell(line))
                answer.explanations.append(found)


def computed_lines(ledger: Ledger) -> dict[str, Line]:
    """Return every computed line by name: those published first, then those inside formulas."""
    found = ledger.named()
    seen: set[int] = set()
    waiting = list(reversed(ledger.lines))
    while waiting:
        line = waiting.pop()
        if id(line) in seen:
            continue
        seen.add(id(line))
        if line.rule != "given":
            found.setdefault(line.name, line)
        waiting.extend(value for _, value, _ in line.arguments if type(value) is Line)
        waiting.extend(line.parts)
    return found


def _chosen(
    command: str, names: Sequence[str], known: dict[str, Line], published: dict[str, Line]
) -> list[str]:
    """Return the lines asked for; a pattern means published ones alone."""
    if names:
        return [
            each
            for each in known
            if each in names
            or (each in published and any(fnmatchcase(each, pattern) for pattern in names))
        ]
    headlines = [
        name
        for pattern in COMMANDS[command].headlines
        for name in published
        if fnmatchcase(name, pattern)
    ]
    return (headlines or list(published))[:1]


def _check_names(
    names: Sequence[str], columns: Sequence[dict[str, Line]], absent: Mapping[str, str]
) -> None:
    """Refuse a name that stands for no line of any column."""
    known = list(dict.fromkeys(name for published in columns for name in published))
    for pattern in names:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise unknown_line("--line", pattern, known, absent)


def unknown_line(
    option: str, name: str, known: Sequence[str], absent: Mapping[str, str]
) -> UsageError:
    """Return the error of a line that an answer does not have; ``absent`` tells what gives it."""
    if name in absent:
        return UsageError(
            f"{option} {quote(name)}: the answer has no such line".strip(), absent[name]
        )
    close = suggest(name, known)
    starts = list(dict.fromkeys(each.partition(".")[0] for each in known))
    return UsageError(
        f"{option} {quote(name)}: the answer has no such line".strip(),
        f"did you mean '{close}'?"
        if close
        else f"lines start with {', '.join(starts)}; --json lists them under values",
    )


def rows_of(explanations: Sequence[Explanation]) -> list[dict[str, Any]]:
    """Return the lines of explanations one below the other, for CSV."""
    rows: list[dict[str, Any]] = []

    def add(explanation: Explanation, each: Input, depth: int, told: set[str]) -> None:
        line, origin = each.line, each.line.origin or Origin("computed")
        repeated = line.rule != "given" and line.name in told
        rows.append(
            {
                "column": explanation.column,
                "depth": depth,
                "parameter": each.parameter,
                "symbol": each.symbol,
                "name": line.name,
                "value": line.value,
                "unit": line.unit,
                "rule": line.rule,
                "convention": line.convention,
                "formula": line.formula,
                "words": line.words,
                "symbols": line.symbols,
                "numbers": line.numbers,
                "kind": origin.kind,
                "file": origin.file,
                "line": origin.line,
                "citation": origin.citation or line.source,
                "repeated": "yes" if repeated else "",
            }
        )
        if not repeated:
            told.add(line.name)
            for inner in line.inputs:
                add(explanation, inner, depth + 1, told)

    for explanation in explanations:
        add(explanation, Input(explanation.line), 0, set())
    return rows
