"""``dsv3calc formula sensitivity``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import with_output
from dsv3calc.commands.traced_query import CONTEXT, LineArgument, QueryArgument, query_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer

__all__ = ["CONTEXT", "formula_sensitivity"]


@with_output
def formula_sensitivity(
    line: LineArgument,
    query: QueryArgument,
    top: Annotated[
        int, typer.Option("--top", metavar="N", help="Number of inputs to show [10].")
    ] = 10,
) -> Callable[[], Answer]:
    """Rank the inputs of a line by their elasticity.

    The elasticity is log2 of the line's ratio when the input doubles: 1 where the line doubles,
    -1 where it halves, 0.5 where it grows by the square root of 2.

    Examples:

      dsv3calc formula sensitivity kv_cache.bytes deepseek-v3

      dsv3calc formula sensitivity memory.worst.total mixtral-8x7b --ep 8
    """

    def ranked() -> Answer:
        from dsv3calc.studies.lines.sensitivity import answer_sensitivity

        return answer_sensitivity(query_of(line, query), line, top)

    return ranked
