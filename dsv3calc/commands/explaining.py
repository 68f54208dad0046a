"""The options of an explanation, which every query has."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsv3calc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.queries.base import Query
    from dsv3calc.studies.answer import Answer

DEEPEST = 1000

OPTIONS: dict[str, tuple[Any, Any]] = {
    "explain": (
        Annotated[
            bool,
            typer.Option("--explain", help="Show how the result is derived."),
        ],
        False,
    ),
    "line": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--line",
                metavar="NAME",
                help="Of --explain: a line of the answer, or several as 'kv_cache.*'. Repeatable.",
            ),
        ],
        None,
    ),
    "depth": (
        Annotated[
            int | None,
            typer.Option(
                "--depth", metavar="N", help="Of --explain: levels shown [as many as a page takes]."
            ),
        ],
        None,
    ),
}


class Explaining:
    """What the options of an explanation ask for, checked."""

    __slots__ = ("asked", "depth", "lines")

    def __init__(self, asked: bool | None, lines: list[str] | None, depth: int | None) -> None:
        self.asked = bool(asked)
        self.lines = tuple(lines or ())
        self.depth = depth
        if not asked:
            for option, value in (("--line", lines or None), ("--depth", depth)):
                if value is not None:
                    raise UsageError(f"{option} is for explanations", "add --explain")
        if depth is not None and not 0 <= depth <= DEEPEST:
            raise UsageError(f"--depth {depth}: expected a number of levels from 0 to {DEEPEST}")

    def answer(self, query: Query) -> Callable[[], Answer]:
        """Return what explains the answer of a query."""

        def explain() -> Answer:
            from dsv3calc.studies.explain.tree import answer_explain

            return answer_explain(query, self.lines)

        return explain
