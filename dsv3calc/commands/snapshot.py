"""``dsv3calc snapshot``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import PresetPathOption, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def snapshot(
    queries: Annotated[
        list[str], typer.Argument(metavar="'QUERY'...", help="Queries, each in quotes.")
    ],
    quantity: Annotated[
        list[str] | None,
        typer.Option(
            "--quantity",
            metavar="PATTERN",
            help="Write only these quantities, such as 'parameters.*'. Repeatable.",
        ),
    ] = None,
    append: Annotated[
        str | None,
        typer.Option(
            "--append",
            metavar="FILE",
            help="Add the numbers to a golden file; existing rows are kept.",
        ),
    ] = None,
    preset_path: PresetPathOption = None,
) -> Callable[[], Answer]:
    """Write the numbers of queries as a golden file.

    Examples:

      dsv3calc snapshot 'kv deepseek-v3' 'params deepseek-v3' -o numbers.yaml

      dsv3calc snapshot 'flops deepseek-v3' --quantity 'flops.components.*'

      dsv3calc snapshot 'kv deepseek-v3 --batch 8' --append numbers.yaml
    """

    def answer() -> Answer:
        import shlex
        from functools import partial

        from dsv3calc.api import answer as answer_query
        from dsv3calc.errors import UsageError
        from dsv3calc.queries.table import QUERIES
        from dsv3calc.studies.answer import Answer
        from dsv3calc.studies.goldens.snapshot import snapshot_goldens

        if len(queries) > 1 and queries[0] in QUERIES:
            raise UsageError(
                f"{queries[0]} alone is no query: each query is one argument, in quotes",
                f"dsv3calc snapshot {shlex.quote(' '.join(queries))}",
            )
        ask = partial(answer_query, preset_path=preset_path)
        found = Answer("snapshot", {"queries": list(queries), "quantity": list(quantity or ())})
        found.text, found.rows = snapshot_goldens(queries, quantity or (), ask=ask)
        if append is not None:
            from dsv3calc.studies.goldens.append import append_goldens

            found.query["append"] = append
            found.text, found.rows = append_goldens(append, found.text)
            count = len(found.rows)
            found.notes.append(f"{append}: {count} row{'' if count == 1 else 's'} added")
        return found

    return answer
