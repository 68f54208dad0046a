"""The command line: a static table of commands, each imported when it is called.

A plain query is read without typer, whose import takes a third of a start; typer reads the rest,
and has help, errors and completion.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError, complaint
from dsv3calc.exit_status import ExitStatus
from dsv3calc.queries.table import COMMANDS as TABLE
from dsv3calc.queries.table import GROUPS, QUERIES, by_group

if TYPE_CHECKING:
    from dsv3calc.commands.request import Request
    from dsv3calc.queries.base import Query

COMMANDS = {group: by_group(group) for group in ("", *GROUPS)}
"""Group -> command -> one-line help, in the order of the help."""

LONGEST_QUERY = 10_000
"""Characters of a query that is given as a text."""


@cache
def load_command(group: str, name: str) -> Any:
    """Import what a command is made from, once."""
    from dsv3calc.commands.query_command import FunctionCommand, QueryCommand
    from dsv3calc.queries.table import struct_of

    row = TABLE[f"{group} {name}".strip()]
    if row.query:
        return QueryCommand(struct_of(row), parse_query)
    stem = "import_" if name == "import" else row.identifier
    return FunctionCommand(import_module(f"dsv3calc.commands.{stem}"), stem)


def parse(arguments: list[str]) -> Request | int | None:
    """Parse a command line into a request; help and version print and give a status instead.

    Raises
    ------
    UsageError
        If a value is wrong; other faults of the command line are typer's errors.
    KeyboardInterrupt
        If parsing is interrupted: typer makes a status of it, which would look like help.
    """
    from dsv3calc.commands.plain_query import read_plain

    found = read_plain(arguments, load_command)
    if found is not None:
        return found
    from dsv3calc.commands.tree import build_group

    group = build_group(load_command)
    parsed: Request | int | None = group.main(
        args=arguments, prog_name="dsv3calc", standalone_mode=False
    )
    if parsed == ExitStatus.INTERRUPTED:
        raise KeyboardInterrupt
    return parsed


def parse_request(arguments: list[str]) -> Request | None:
    """Parse a command line that must be a request; None where it asks for help instead.

    Raises
    ------
    UsageError
        For whatever is wrong with it, also where typer found the fault.
    """
    if not {"-h", "--help", "--version"}.isdisjoint(arguments):
        return None
    try:
        found = parse(arguments)
    except Exception as error:
        if hasattr(error, "format_message"):
            raise UsageError(complaint(error)) from None
        raise
    return None if found is None or isinstance(found, int) else found


@lru_cache(maxsize=1024)
def parse_query(text: str) -> Query:
    """Read a query written as on the command line, without ``dsv3calc`` in front.

    Raises
    ------
    UsageError
        If it is not a query that gives a ledger.
    """
    import shlex

    if len(text) > LONGEST_QUERY:
        raise UsageError(f"the query has {len(text):,} characters; at most {LONGEST_QUERY:,}")
    try:
        arguments = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"cannot read the query: {error}") from None
    if arguments[:1] == ["dsv3calc"]:
        del arguments[0]
    if not arguments:
        raise UsageError("the query is empty", "for example: params deepseek-v3")
    if not {arguments[0], " ".join(arguments[:2])} & QUERIES.keys():
        raise UsageError(
            f"{arguments[0]!r} is no query",
            f"queries start with {', '.join(QUERIES)}",
        )
    from dsv3calc.output.options import OutputOptions

    request = parse_request(arguments)
    if request is not None and request.source is not None:
        raise UsageError(
            f"{text!r} asks for an explanation, not for a number", "leave out --explain"
        )
    if request is None or request.query is None:
        raise UsageError(f"{text!r} asks for help, not for a number")
    if request.output != OutputOptions():
        raise UsageError(
            f"{text!r} has output options",
            "a query here has none: leave out --json, -o and the like",
        )
    return request.query
