"""The query behind a line: what ``formula derive``, ``solve`` and ``sensitivity`` are asked of."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.errors import UsageError
from dsv3calc.queries.table import PREFIXES, QUERIES
from dsv3calc.reading.diagnostics import quote, suggest

if TYPE_CHECKING:
    from dsv3calc.queries.base import Query

CONTEXT = {"ignore_unknown_options": True}
"""Options that a command does not know are the query's."""

STAND_IN = "h800"
"""Device of a query that must name one, where the line does not depend on it."""

LineArgument = Annotated[
    str, typer.Argument(metavar="LINE", help="Line of an answer, such as memory.worst.total.")
]
QueryArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="QUERY...",
        help="The query; its command may be left out, since the line implies it: deepseek-v3 "
        "--layout v3-pretrain.",
    ),
]
HoldOption = Annotated[
    list[str] | None,
    typer.Option(
        "--hold",
        metavar="DP",
        help="Keep dp fixed while tp, cp or pp vary; the GPU count changes.",
    ),
]


def query_of(line: str, words: list[str]) -> Query:
    """Return the query that a line belongs to.

    Raises
    ------
    UsageError
        If it is no query, or the line's name fits no command.
    """
    from dsv3calc.cli import parse_request
    from dsv3calc.output.options import OutputOptions

    command, rest = _command(line, words)
    device = "--hardware" in rest or any(word.startswith("--hardware=") for word in rest)
    stands_in = QUERIES[command].needs_device and not device
    if stands_in:
        rest = [*rest, "--hardware", STAND_IN]
    request = parse_request([*command.split(), *rest])
    if request is None or request.query is None:
        raise UsageError(f"{command} {' '.join(rest)}: this asks for help, not for a number")
    if request.output != OutputOptions():
        raise UsageError("output options of the query", "give them before the line")
    if stands_in:
        _check_device(request.query, line)
    return request.query


def _command(line: str, words: list[str]) -> tuple[str, list[str]]:
    for count in (2, 1):
        command = " ".join(words[:count])
        if command in QUERIES:
            return command, words[count:]
    prefix = line.partition(".")[0]
    if prefix in PREFIXES:
        return PREFIXES[prefix].words, words
    close = suggest(prefix, PREFIXES)
    raise UsageError(
        f"{quote(line)}: no command gives a line of that name",
        f"did you mean {line.replace(prefix, close, 1)!r}?"
        if close
        else f"lines start with {', '.join(PREFIXES)}; or write the command before the query",
    )


def _check_device(query: Query, line: str) -> None:
    """Refuse a line that depends on a device where none was named."""
    from dsv3calc.studies.dispatch import answer
    from dsv3calc.studies.explain.tree import computed_lines
    from dsv3calc.symbolic.from_ledger import leaves

    named = computed_lines(answer(query).columns[0].ledger)
    if line in named and any(place.startswith("hardware.") for place in leaves([named[line]])):
        raise UsageError(f"{line} depends on the device", "add --hardware h800, or another")
