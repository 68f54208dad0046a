"""``dsv3calc formula eval``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated

import typer

from dsv3calc.commands.options import with_output
from dsv3calc.errors import UsageError
from dsv3calc.queries.formula import FormulaEvalQuery, split_argument


def complete_name(incomplete: str) -> list[str]:
    """Complete the name of a formula."""
    from dsv3calc.formulas.registry.registry import all_formulas

    return [name for name in all_formulas() if name.startswith(incomplete)]


@with_output
def formula_eval(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A formula.", autocompletion=complete_name),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ARGUMENT=VALUE...]",
            help="Its arguments: numbers, quantities such as 50GB/s, or 'QUANTITY of QUERY'.",
        ),
    ] = None,
) -> FormulaEvalQuery:
    """Evaluate a formula.

    A value may be a number of another query: its quantity, " of " and the query, in quotes.

    Examples:

      dsv3calc formula eval stored_bytes elements=671B bits=8

      dsv3calc formula eval profit_margin revenue='$562,027' cost=87072
    """
    given = tuple(arguments or ())
    inputs = {}
    for text in given:
        argument, _, query = split_argument(text)
        if query:
            from dsv3calc.api import parse_query

            try:
                inputs[argument] = parse_query(query)
            except UsageError as error:
                raise UsageError(f"{argument}: {error.message}", error.hint) from None
    return FormulaEvalQuery(name=name, arguments=given, inputs=inputs)
