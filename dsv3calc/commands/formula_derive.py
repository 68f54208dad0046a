"""``dsv3calc formula derive``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import with_output
from dsv3calc.commands.traced_query import (
    CONTEXT,
    HoldOption,
    LineArgument,
    QueryArgument,
    query_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer

__all__ = ["CONTEXT", "formula_derive"]


@with_output
def formula_derive(
    line: LineArgument,
    query: QueryArgument,
    free: Annotated[
        list[str],
        typer.Option(
            "--free",
            metavar="NAMES",
            help="Variables of the equation, separated by commas: ep,pp,tp.",
        ),
    ],
    hold: HoldOption = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print the equations in LaTeX.")] = False,
) -> Callable[[], Answer]:
    """Write a line of a query as an equation in variables that you choose.

    A variable is any number of the model, layout, workload or devices that the line depends on:
    ep, seq, batch, hidden_size, n_routed_experts, hardware.memory.bandwidth. The number of GPUs of
    a layout is fixed: dp follows from tp, cp and pp. The equation is compared with the query at
    other values of its variables.

    Examples:

      dsv3calc formula derive kv_cache.bytes deepseek-v3 --free tokens,batch

      dsv3calc formula derive memory.worst.total mixtral-8x7b --ep 8 --free ep
    """
    names = [name.strip() for each in free for name in each.split(",") if name.strip()]

    def derived() -> Answer:
        from dsv3calc.studies.lines.derive import answer_derive

        answer = answer_derive(query_of(line, query), line, names, tuple(hold or ()))
        if latex:
            answer.text = "".join(f"{row['latex']}\n" for row in answer.rows)
        return answer

    return derived
