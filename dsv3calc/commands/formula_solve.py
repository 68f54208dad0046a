"""``dsv3calc formula solve``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import amount, with_output
from dsv3calc.commands.traced_query import CONTEXT, HoldOption, QueryArgument, query_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer

__all__ = ["CONTEXT", "formula_solve"]


@with_output
def formula_solve(
    condition: Annotated[
        str,
        typer.Argument(metavar="BOUND", help="A line and its bound: 'kv_cache.bytes <= 40GiB'."),
    ],
    query: QueryArgument,
    unknown: Annotated[
        str,
        typer.Option(
            "--for", metavar="NAME", help="The integer to solve for: ep, tokens, seq, hidden_size."
        ),
    ],
    want: Annotated[
        str,
        typer.Option(
            "--want", metavar="WHICH", help="Show the smallest, the largest or all values."
        ),
    ] = "all",
    least: Annotated[
        int | None,
        typer.Option(
            "--from",
            parser=amount("--from", "count", 0),
            metavar="N",
            help="Smallest value to try.",
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            "--to", parser=amount("--to", "count", 0), metavar="N", help="Largest value to try."
        ),
    ] = None,
    hold: HoldOption = None,
) -> Callable[[], Answer]:
    """Find the values of an integer of a query at which a line satisfies a bound.

    Every value shown is computed by the query, and values that it refuses are left out. The notes
    say which values were tried. Exit status 4: no value satisfies the bound.

    Examples:

      dsv3calc formula solve 'kv_cache.bytes <= 40GiB' deepseek-v3 --for tokens

      dsv3calc formula solve 'flops.per_token <= 1e12' deepseek-v3 --for seq
    """

    def solved() -> Answer:
        from dsv3calc.studies.lines.condition import Condition
        from dsv3calc.studies.lines.solve import answer_solve

        bound = Condition(condition)
        return answer_solve(
            query_of(bound.name, query),
            bound,
            unknown,
            want=want,
            least=least,
            most=most,
            hold=tuple(hold or ()),
        )

    return solved
