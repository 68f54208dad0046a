"""``dsv3calc formula solve``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import Amount, amount, with_output
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
        str, typer.Option("--for", metavar="NAME", help="The number: ep, tokens, seq, hidden_size.")
    ],
    want: Annotated[
        str, typer.Option("--want", metavar="WHICH", help="smallest, largest or all values.")
    ] = "all",
    least: Annotated[
        Amount | None,
        typer.Option(
            "--from", parser=amount("--from", "count", 0), metavar="N", help="Search from here on."
        ),
    ] = None,
    most: Annotated[
        Amount | None,
        typer.Option(
            "--to", parser=amount("--to", "count", 0), metavar="N", help="Search up to here."
        ),
    ] = None,
    hold: HoldOption = None,
) -> Callable[[], Answer]:
    """Solve for an integer of a query: where a line keeps a bound.

    Only values that the query accepts count, and each is asked for plainly. Exit status 4 says
    that there is none.

    Examples:

      dsv3calc formula solve 'kv_cache.bytes <= 40GiB' deepseek-v3 --for tokens

      dsv3calc formula solve 'flops.per_token <= 1e12' deepseek-v3 --for seq
    """

    def solved() -> Answer:
        from dsv3calc.studies.solve import Condition, answer_solve

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
