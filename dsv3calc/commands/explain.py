"""``dsv3calc explain``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated

import typer

from dsv3calc.commands.request import Request
from dsv3calc.errors import UsageError
from dsv3calc.reading.diagnostics import did_you_mean, quote

CONTEXT = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""What follows the command of a query is the query's own to read."""


def explain(
    query: Annotated[
        list[str],
        typer.Argument(metavar="COMMAND [OPTIONS]...", help="A query, such as kv deepseek-v3."),
    ],
) -> Request | None:
    """Show how a result is derived, down to file and line of each input.

    The tree has each formula in words, in symbols and with its numbers put in, and each input with
    file, line and citation. All options follow the query's command: its own; --line NAME, which
    picks a line of the answer; --depth N, the levels shown; --output FILE and --force. --format
    json (or --json), csv, markdown or html has the whole tree. Any query takes --explain too.

    Examples:

      dsv3calc explain kv deepseek-v3 --context 4096

      dsv3calc explain params deepseek-v3 --line parameters.active --depth 2

      dsv3calc explain flops deepseek-v3 --phase decode --format html
    """
    from dsv3calc.cli import parse
    from dsv3calc.queries.table import QUERIES

    known = {name.partition(" ")[0]: name for name in QUERIES}
    if query[0] not in known:
        raise UsageError(
            f"explain {quote(query[0])}: expected a query",
            did_you_mean(query[0], known, f"queries start with {', '.join(QUERIES)}"),
        )
    request = parse([*query, "--explain"])
    return request if not isinstance(request, int) else None
