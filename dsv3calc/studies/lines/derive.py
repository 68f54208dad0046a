"""Answer ``formula derive``: a line as a closed form of the numbers that are left open."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.formulas.registry.glossary import SYMBOLS
from dsv3calc.formulas.registry.plain_text import plain
from dsv3calc.ledger.rules import number_text
from dsv3calc.ledger.tags import RANK
from dsv3calc.reading.diagnostics import quote
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.explain.tree import computed_lines
from dsv3calc.studies.goldens.tolerance import FLOAT_TOLERANCE
from dsv3calc.studies.lines.open_line import OpenLine
from dsv3calc.studies.lines.over_ranks import (
    candidates_at,
    lines_over_ranks,
    over_candidates,
    templates,
)
from dsv3calc.symbolic.algebra import Algebra
from dsv3calc.symbolic.equations_of_line import ClosedForm, Equation
from dsv3calc.symbolic.from_ledger import compiled
from dsv3calc.symbolic.printer import LATEX, PYTHON, UNICODE, render
from dsv3calc.symbolic.term import Term, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.base import Query
    from dsv3calc.studies.lines.quantity import Quantity
    from dsv3calc.symbolic.from_ledger import Composer

LONGEST_CANDIDATE = 12
"""Characters of a candidate for the fullest rank that has no equation of its own."""

MOST_CHECKS = 2
"""Other values of each number at which a derivation is held against the plain query."""


def candidates_of(traced: OpenLine, names: set[str]) -> list[Any]:
    """Return pipeline ranks that include the fullest one, for every pp.

    Raises
    ------
    UsageError
        If all ranks are needed: their number is open.
    """
    from sympy import sympify

    algebra = Algebra(dict.fromkeys(names, True))
    depth = algebra.symbol("num_hidden_layers") if "num_hidden_layers" in names else None
    ranks = candidates_at(traced, algebra.symbol("pp"), depth)
    terms = [algebra.term(sympify(rank)) for rank in ranks]
    return list({written(term): term for term in terms}.values())


class Derivation:
    """A line traced with some numbers left open: a term that computes it, and its equations."""

    def __init__(self, traced: OpenLine, free: Sequence[Quantity]) -> None:
        self.traced = traced
        self.free = tuple(free)
        self.names = {each.name for each in free}
        self.over: list[Line] = []  # lines that are a maximum over the ranks of one pp
        self.candidates: list[Any] = []
        if "pp" in self.names:
            self._check_split()
            self.over = lines_over_ranks(traced.line)
            if self.over:
                self.candidates = candidates_of(traced, self.names)
        self.composer = (
            over_candidates(self._composer, self.candidates)
            if self.candidates
            else self._composer(None)
        )
        self.term = self.composer.of(traced.line)

    @cached_property
    def _compute(self) -> Callable[[Mapping[str, Any]], Any]:
        return compiled(self.term)

    def _composer(self, rank: Any) -> Composer:
        return self.traced.composer(self.free, rank)

    def _check_split(self) -> None:
        layout = self.traced.layout
        if layout is not None and isinstance(layout.layer_split, list):
            raise UsageError(
                "pp cannot be left open: the layout lists the layers of each stage",
                "--layer-split even or balanced divides them for any pp",
            )

    def at(self, values: dict[str, Any]) -> Any:
        """Compute the line from the values of the open numbers."""
        return self._compute(values)

    @property
    def now(self) -> dict[str, Any]:
        """The values of the open numbers in the query."""
        return {each.name: each.value for each in self.free}

    def whole(self) -> Any:
        """Return the line as one term that sympy has simplified."""
        integers = {each.name: type(each.value) is int for each in self.free}
        return ClosedForm(self.composer, integers, whole=True).close(self.traced.line)

    # --- equations

    def equations(self) -> list[Equation]:
        """Return the closed form, each equation after those that it depends on."""
        integers = {each.name: type(each.value) is int for each in self.free}
        if not self.candidates:
            form = ClosedForm(self.composer, integers)
            form.close(self.traced.line)
            return form.equations
        form = ClosedForm(self._composer(Term("name", name=RANK)), integers | {RANK: True})
        return self._with_ranks(form)

    def _with_ranks(self, form: ClosedForm) -> list[Equation]:
        """Return the equations of any rank, then those over the candidates."""
        found: list[Equation] = []
        top, over = self.traced.line, self.over
        names: dict[str, str] = {}
        for line in over:
            for template in templates(line):
                name = _renaming(template.name)
                if name not in names.values():
                    form.close(template, name)
                names[template.name] = name
        rename = _renaming
        found = [
            Equation(rename(each.name), _renamed(each.term), each.unit) for each in form.equations
        ]
        candidates = []
        for number, term in enumerate(self.candidates):
            name = f"memory.candidate.{number}"
            if isinstance(term, Term) and len(written(term)) > LONGEST_CANDIDATE:
                found.append(Equation(name, term, "1"))
                candidates.append(Term("name", name=name))
            else:
                candidates.append(term)
        for line in over:
            called = [names[template.name] for template in templates(line)]
            found.append(Equation(line.name, RankMaximum(line.rule, called, candidates), line.unit))
        if top not in over:
            named = {id(line): Term("name", name=line.name) for line in over}
            composer = self.traced.composer(self.free)
            composer.instead = lambda line: named.get(id(line))
            found.append(Equation(top.name, composer.of(top), top.unit))
        return found


class RankMaximum:
    """The right-hand side of a line over ranks: what is largest, of which candidates."""

    __slots__ = ("candidates", "names", "rule")

    def __init__(self, rule: str, names: list[str], candidates: list[Any]) -> None:
        self.rule = rule
        self.names = names
        self.candidates = candidates


def _renaming(name: str) -> str:
    return re.sub(r"\.rank\.\d+\.", ".of_rank.", name)


def _renamed(term: Any) -> Any:
    return fold(
        term,
        lambda name: Term("name", name=_renaming(name)),
        lambda operation, parts: Term(operation, *parts),
    )


def derive(traced: OpenLine, names: Iterable[str]) -> Derivation:
    """Trace a line with numbers left open.

    Raises
    ------
    UsageError
        If the line does not depend on one of them, or one is named twice.
    """
    free: dict[str, Quantity] = {}
    for name in names:
        quantity = traced.quantity(name, "--free")
        if quantity.name in free:
            raise UsageError(f"--free {quote(name)}: it is named twice")
        free[quantity.name] = quantity
    return Derivation(traced, list(free.values()))


def check(found: Derivation) -> list[dict[str, Any]]:
    """Hold a derivation against the plain query at other values; return those where it agrees.

    Each number is changed by itself, then all of them together.

    Raises
    ------
    UsageError
        Where they differ: the line follows from a number in ways that its ledger does not show.
    """
    agreed: list[dict[str, Any]] = []
    moved: dict[str, Any] = {}
    for quantity in found.free:
        these = _first_agreeing(found, quantity)
        agreed += these
        if these:
            moved |= these[0]
    if len(moved) > 1 and _agrees(found, moved):
        agreed.append(moved)
    return agreed


def _first_agreeing(found: Derivation, quantity: Quantity) -> list[dict[str, Any]]:
    """Return the first few other values at which both agree; of ranks all."""
    name, layout = quantity.name, found.traced.layout
    if name == RANK and layout is not None:
        others = [value for value in range(layout.pp) if value != quantity.value]
        return [{name: value} for value in others if _agrees(found, {name: value})]
    agreed: list[dict[str, Any]] = []
    for value in other_values(quantity.value):
        if _agrees(found, {name: value}):
            agreed.append({name: value})
        if len(agreed) == MOST_CHECKS:
            break
    return agreed


def _agrees(found: Derivation, values: dict[str, Any]) -> bool:
    """Tell whether both give the same; where the query is refused, nothing is known: False."""
    plain = _plain(found.traced, values)
    if plain is None:
        return False
    ours = found.at(found.now | values)
    if abs(ours - plain) > FLOAT_TOLERANCE * abs(plain):
        where = ", ".join(f"{name} {number_text(value)}" for name, value in values.items())
        if "pp" in values and ours < plain and found.candidates:
            raise UsageError(
                f"{found.traced.name} has no closed form in pp: at {where} the fullest rank is "
                f"none of the candidates: the query gives {number_text(plain)}, they "
                f"{number_text(ours)}",
                "derive memory.rank.0.total with --free pp,rank: it holds for every rank",
            )
        raise UsageError(
            f"{found.traced.name} has no closed form in {' and '.join(values)}: at {where} the "
            f"query gives {number_text(plain)}, and what its ledger shows gives "
            f"{number_text(ours)}",
            "leave it out: the ledger does not show all that it changes",
        )
    return True


def _plain(traced: OpenLine, values: dict[str, Any]) -> Any:
    """Ask plainly; another rank is another line of the same answer."""
    if RANK not in values:
        return traced.plain(values)
    if len(values) > 1:
        return None
    name = re.sub(r"\.rank\.\d+", f".rank.{values[RANK]}", traced.name)
    line = computed_lines(traced.answer.columns[0].ledger).get(name)
    return None if line is None else line.value


def other_values(value: Any) -> list[Any]:
    """Return values to try beside one: multiples and parts of it, and its neighbours."""
    if type(value) is float:
        return [value * 2, value / 2]
    found = [value * 2, value // 2, value + 1, value - 1, value * 4, value * 3]
    return [each for each in dict.fromkeys(found) if each != value and each >= 1]


def answer_derive(query: Query, line: str, free: Sequence[str], hold: Sequence[str] = ()) -> Answer:
    """Give a line of a query as a closed form, the named numbers left open.

    Raises
    ------
    UsageError, InvalidInput
        As the query is wrong, or has no such line or number.
    """
    traced = OpenLine(query, line, hold=hold)
    found = derive(traced, free)
    agreed = check(found)
    answer = Answer("formula derive", {"command": query.command, **traced.answer.query}, "derive")
    answer.query |= {"line": traced.name, "free": found.now}
    if hold:
        answer.query["hold"] = list(hold)
    answer.rows = [_row(each) for each in found.equations()]
    answer.rows[-1]["value"] = traced.line.value
    answer.notes += _notes(found, agreed)
    answer.take_told(traced.answer)
    return answer


def _row(equation: Equation) -> dict[str, Any]:
    term = equation.term
    row: dict[str, Any] = {"name": equation.name, "unit": equation.unit}
    if not isinstance(term, RankMaximum):
        return row | {
            "equation": written(term),
            "latex": f"{latex_of(equation.name)} = {render(term, LATEX, latex_of)}",
            "python": render(term, PYTHON, python_of),
        }
    ranks = [written(each) for each in term.candidates]
    largest = term.names[0]
    symbol = plain(SYMBOLS[RANK].latex)
    over = f"{symbol} among {{{'; '.join(ranks)}}}"
    listed = ", ".join(render(each, LATEX, latex_of) for each in term.candidates)
    in_latex = rf"{SYMBOLS[RANK].latex} \in \{{{listed}\}}"
    text = f"the largest {largest}, {over}"
    latex_text = f"\\max_{{{in_latex}}} {latex_of(largest)}"
    if term.rule == "at_largest":
        text = f"{term.names[1]} where {largest} is largest, {over}"
        latex_text = f"{latex_of(term.names[1])} \\text{{ at }} \\arg{latex_text}"
    return row | {
        "equation": text,
        "latex": f"{latex_of(equation.name)} = {latex_text}",
        "python": "",
        "candidates": [render(each, PYTHON, python_of) for each in term.candidates],
        "of": term.names,
        "rule": term.rule,
    }


def written(term: Any) -> str:
    """Return a term as a line of text, in symbols, digits in groups."""
    return render(term, UNICODE, symbol_of, number=number_text)


def symbol_of(name: str) -> str:
    """Return how a name is written in text: its symbol, or that of the field with its place."""
    place, _, field = name.rpartition(".")
    if field not in SYMBOLS or place.startswith(("memory", "traffic")):
        return name
    symbol = plain(SYMBOLS[field].latex)
    return f"{symbol}[{place}]" if place else symbol


def latex_of(name: str) -> str:
    """Return how a name is written in LaTeX."""
    if name in SYMBOLS:
        return SYMBOLS[name].latex
    return rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"


def python_of(name: str) -> str:
    """Return how a name is written in Python."""
    return re.sub(r"\W", "_", name)


def _notes(found: Derivation, agreed: Sequence[dict[str, Any]]) -> list[str]:
    notes = []
    quantities = [*found.free]
    for each in quantities:
        symbol = each.symbol
        meaning = f", {symbol.description}" if symbol is not None else ""
        notes.append(
            f"{symbol_of(each.name)} is {each.name}{meaning}: {number_text(each.value)} now"
        )
    if found.candidates:
        notes.append(
            f"{plain(SYMBOLS[RANK].latex)} is the pipeline rank, from 0; the listed ranks are "
            "those that can hold the most memory"
        )
    layout = found.traced.layout
    follows = found.traced.follows(found.free)
    if follows is not None and layout is not None:
        notes.append(
            f"dp follows from the {layout.gpus:,} GPUs: {plain(SYMBOLS['dp'].latex)} = "
            f"{written(follows)} (--hold dp keeps it at {layout.dp:,} instead)"
        )
    elif layout is not None and found.names & {"tp", "cp", "pp", "dp"}:
        notes.append("the number of GPUs follows from the degrees: tp x cp x pp x dp")
    if agreed:
        tried = "; ".join(
            ", ".join(f"{name} {number_text(value)}" for name, value in values.items())
            for values in agreed
        )
        notes.append(f"the query gives the same at {tried}")
    return notes
