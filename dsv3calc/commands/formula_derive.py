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
            "--free", metavar="NAMES", help="Numbers left open, separated by commas: ep,pp,tp."
        ),
    ],
    hold: HoldOption = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print the equations in LaTeX.")] = False,
) -> Callable[[], Answer]:
    """Derive a line of a query as a closed form of the numbers that are left open.

    Variables that can be left open: numbers of the model, layout, workload and devices, such as
    ep, seq, batch, hidden_size, n_routed_experts, hardware.memory.bandwidth. The number of GPUs of
    a layout is kept: dp follows from tp, cp and pp. The form is checked at other values.

    Examples:

      dsv3calc formula derive kv_cache.bytes deepseek-v3 --free tokens,batch

      dsv3calc formula derive memory.worst.total mixtral-8x7b --ep 8 --free ep
    """
    names = [name.strip() for each in free for name in each.split(",") if name.strip()]

    def derived() -> Answer:
        from dsv3calc.studies.derive import answer_derive

        answer = answer_derive(query_of(line, query), line, names, tuple(hold or ()))
        if latex:
            answer.text = "".join(f"{row['latex']}\n" for row in answer.rows)
        return answer

    return derived
